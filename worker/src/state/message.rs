//! What a worker says, as values free of wire types.

use std::sync::Arc;

use openclaw_common::id::{ClusterId, LeaseId, TaskId};

use crate::model::Ended;

/// How far a held attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Accepted, not started.
    Queued,
    /// Started.
    Running,
    /// Ended; its result is not acknowledged.
    Finished,
}

/// An attempt that the worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The attempt.
    pub lease: LeaseId,
    /// Its task.
    pub task_id: TaskId,
    /// How far it has come.
    pub state: LeaseState,
}

/// How far a running attempt says it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// 0 to 100, when known.
    pub percent: Option<f64>,
    /// What it is doing, at most 1 KiB.
    pub message: String,
}

/// An attempt that ended, as it is reported and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The attempt.
    pub lease: LeaseId,
    /// Its task.
    pub task_id: TaskId,
    /// Milliseconds from offer to start.
    pub queued_ms: u64,
    /// How it ended.
    pub ended: Ended,
}

/// The part of Hello that the state knows; composed when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloPart {
    /// Counts the streams of this process, from 1.
    pub stream_number: u64,
    /// The cluster last served.
    pub cluster: Option<ClusterId>,
    /// Highest epoch seen of it.
    pub seen_epoch: u64,
    /// Every attempt held.
    pub held: Vec<Held>,
    /// Milliseconds slept since the last stream opened.
    pub slept_ms: u64,
}

/// The part of a heartbeat that the state knows; composed when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatPart {
    /// Counts heartbeats of this stream, from 1.
    pub seq: u64,
    /// Highest offer batch taken in whole on this stream.
    pub seen_offer_seq: u64,
    /// Every attempt held.
    pub held: Vec<Held>,
    /// Thousandths of slots that processes take which cannot be ended.
    pub blocked_milli: u32,
    /// Generation of the desired state that is followed.
    pub desired_generation: u64,
}

/// One message to the coordinator.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Answers a ping.
    Pong {
        /// As received.
        nonce: u64,
    },
    /// The worker wants to stop.
    Leaving {
        /// Why.
        reason: String,
    },
    /// Queued attempts given back.
    Released {
        /// The attempts.
        leases: Vec<LeaseId>,
        /// Why; empty when they were revoked.
        reason: String,
    },
    /// Sign of life.
    Heartbeat(HeartbeatPart),
    /// Attempts that ended.
    Results(Vec<Arc<Finished>>),
    /// Attempts that started, and progress.
    Updates {
        /// Started.
        started: Vec<LeaseId>,
        /// The latest of each.
        progress: Vec<(LeaseId, Progress)>,
    },
    /// Skills and capacity, which the shell knows.
    Inventory,
    /// The last message.
    Bye {
        /// Why.
        reason: String,
    },
}
