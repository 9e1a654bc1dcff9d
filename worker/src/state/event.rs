//! Everything that can happen to a worker.

use openclaw_common::id::{ClusterId, LeaseId, SessionId, TaskId};

use super::{Exit, Finished, Progress};
use crate::model::{Ended, Job};

/// One thing that happened.
///
/// Messages of a stream count only while that stream is the latest one: a shell drops what an older stream still had
/// to say before it dials again, and does not report the end of a stream that it closed because it was told to.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The coordinator answered Hello: the stream is open.
    Welcomed(Box<Welcome>),
    /// The dial failed or the stream ended.
    Closed(Closed),
    /// Attempts to run.
    Offers {
        /// Number of the batch on this stream.
        seq: u64,
        /// The attempts, in order.
        offers: Vec<Offered>,
        /// More of this batch follows.
        more: bool,
    },
    /// What to do with leases.
    Verdicts(Vec<Verdict>),
    /// The coordinator has these results for good, or does not want them.
    ResultAcks(Vec<LeaseId>),
    /// Give these back unless they have started.
    Revoked(Vec<LeaseId>),
    /// What the coordinator wants of this worker.
    Desired(Desired),
    /// Nothing more will be offered on this stream.
    LeavingAcked {
        /// The last batch that was sent.
        last_offer_seq: u64,
    },
    /// The coordinator is about to go away.
    Draining {
        /// Dial again after this many milliseconds.
        come_back_after_ms: u64,
        /// Why, for people.
        reason: String,
    },
    /// Another process took over this identity.
    Superseded {
        /// Which, for people.
        by: String,
    },
    /// The coordinator asks for a sign of life.
    Pinged {
        /// To be sent back.
        nonce: u64,
    },
    /// The coordinator has taken in a heartbeat.
    HeartbeatAcked {
        /// Its number.
        seq: u64,
    },
    /// The attempt's program runs.
    Started(LeaseId),
    /// The attempt told how far it is.
    Progressed(LeaseId, Progress),
    /// The attempt ended; nothing of it is left.
    Ended(LeaseId, Box<Ended>),
    /// The attempt could not be ended in time; it may still run.
    Wedged(LeaseId),
    /// A deadline of [`super::State::next_deadline`] may be due. Harmless at any time.
    Tick,
    /// The machine slept, or its clock jumped.
    Resumed {
        /// By the larger of the two clocks, in milliseconds.
        gap_ms: u64,
    },
    /// Somebody asked the process to stop.
    StopAsked {
        /// Without waiting for what runs.
        now: bool,
        /// Who or what, for people.
        reason: String,
    },
    /// Skills or what they need changed: advertise them again.
    InventoryChanged,
    /// Results that an earlier process of this worker left on disk.
    SpoolLoaded(Vec<Finished>),
    /// A result is on disk.
    Spooled(LeaseId),
    /// A result could not be written to disk.
    SpoolFailed(LeaseId),
}

/// An attempt as offered.
#[derive(Debug, Clone, PartialEq)]
pub enum Offered {
    /// It can be read.
    Job(Box<Job>),
    /// It cannot: nothing can be started, and the coordinator is told why.
    Unreadable {
        /// The attempt.
        lease: LeaseId,
        /// Its task, as far as that could be read.
        task_id: TaskId,
        /// The attempt's number.
        attempt: u32,
        /// What is wrong with it.
        why: String,
    },
}

/// What the coordinator tells a new stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Protocol of this stream.
    pub protocol: u32,
    /// This stream, for logs.
    pub session_id: SessionId,
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name for people.
    pub cluster_name: String,
    /// The coordinator's epoch.
    pub epoch: u64,
    /// The name this worker got.
    pub node_id: String,
    /// Milliseconds between heartbeats, at least 1.
    pub heartbeat_interval_ms: u64,
    /// Milliseconds after which a node that is not heard of is suspect.
    pub suspect_after_ms: u64,
    /// Milliseconds after which leases run out.
    pub lease_ms: u64,
    /// Highest first delay after a lost stream, in milliseconds.
    pub reconnect_spread_ms: u64,
    /// Largest inline result in bytes; 0 means unstated.
    pub max_result_bytes: u64,
    /// Largest inline outputs of a task in bytes; 0 means unstated.
    pub max_output_bytes: u64,
    /// What to do with each lease that Hello listed.
    pub verdicts: Vec<Verdict>,
    /// What is wanted of the worker.
    pub desired: Desired,
    /// The coordinator's build.
    pub build: String,
}

/// How a stream, or the attempt to open one, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// What that means for the next try.
    pub by: ClosedBy,
    /// The cause, for people.
    pub detail: String,
}

/// What the end of a stream means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// Network, restart, anything that may pass: try again.
    Failure,
    /// No common protocol: try again, rarely; somebody may upgrade one side.
    Incompatible,
    /// No try will ever succeed.
    Refusal(Exit),
}

/// What to do with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictAction {
    /// Go on with it.
    Resume,
    /// End it. With `forget` nobody wants to hear of its end.
    Kill {
        /// Tell nobody.
        forget: bool,
    },
    /// Send its result.
    SendResult,
    /// Drop it.
    Forget,
}

/// What to do with one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The attempt.
    pub lease: LeaseId,
    /// What to do.
    pub action: VerdictAction,
}

/// What the coordinator wants of a worker; a level, not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desired {
    /// Counts changes; the highest one counts.
    pub generation: u64,
    /// Start queued attempts.
    pub accept: bool,
    /// Hand back what still runs after this many milliseconds; 0 lets it finish.
    pub drain_deadline_ms: u64,
}

impl Default for Desired {
    fn default() -> Self {
        Self {
            generation: 0,
            accept: true,
            drain_deadline_ms: 0,
        }
    }
}
