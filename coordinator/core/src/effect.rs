//! Everything the core wants done. Writes are committed first; the rest is carried out after the flush, in order.

use std::sync::Arc;

use openclaw_common::code::{ErrorCode, ReasonCode};
use openclaw_common::id::{ClusterId, LeaseId, SessionId, TaskId};
use openclaw_common::status::TaskStatus;

use crate::event::ReplyId;
use crate::record::Write;
use crate::view::{Explanation, LiveTask};

/// What the core wants done after one or more events.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be made durable, as one batch, before anything else here is seen.
    pub writes: Vec<Write>,
    /// Streams to be asked with a `Ping` of this number, at once: nothing durable stands behind the question, and a
    /// clock runs for the answer.
    pub asks: Vec<(SessionId, u64)>,
    /// Answers.
    pub replies: Vec<(ReplyId, Reply)>,
    /// Messages to workers; those of one stream in order.
    pub sends: Vec<(SessionId, Send)>,
    /// Streams to end, after their messages.
    pub closes: Vec<(SessionId, Close)>,
    /// Changes of tasks, for those who follow them.
    pub notices: Vec<Notice>,
}

impl Effects {
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.asks.is_empty()
            && self.replies.is_empty()
            && self.sends.is_empty()
            && self.closes.is_empty()
            && self.notices.is_empty()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To `Submit`: one entry per task, in order.
    Submitted(Result<Vec<Accepted>, Refusal>),
    /// To `Cancel`.
    Cancelled(Result<TaskState, Refusal>),
    /// To `Query::Task`; `None`: not live.
    Task(Option<Box<LiveTask>>),
    /// To `Query::Tasks`.
    Tasks(Vec<Option<LiveTask>>),
    /// To `Query::Page`: the tasks, and where to go on when the page or the scan was full.
    Page(Vec<LiveTask>, Option<TaskId>),
    /// To `Query::Explain`; `None`: not live.
    Explained(Option<Box<Explanation>>),
}

/// A task that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: TaskId,
    /// The key or id was known with the same body: nothing new was made. Its state is then found by its id.
    pub existing: bool,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code.
    pub code: ErrorCode,
    /// A sentence that names the cause and the next step.
    pub detail: String,
    /// The task of a batch it is about.
    pub index: Option<usize>,
}

/// A message to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Send {
    /// Answers its Hello.
    Welcome(Box<Welcome>),
    /// Attempts to run.
    Offers {
        /// Number of the batch within the stream, from 1.
        offer_seq: u64,
        /// The attempts.
        offers: Vec<Offer>,
    },
    /// Answers a heartbeat.
    HeartbeatAck {
        /// Its number.
        seq: u64,
    },
    /// What to do with leases.
    Verdicts(Vec<(LeaseId, Verdict)>),
    /// Results that are durable or stale.
    ResultAcks(Vec<LeaseId>),
    /// Give these back if they have not started.
    Revoke(Vec<LeaseId>),
    /// What is wanted of the worker.
    Desired(Desired),
    /// No offers with a higher number will come.
    LeavingAck {
        /// Highest number sent.
        last_offer_seq: u64,
    },
    /// Are you there? Leaves in order only where something else has to leave before; see `Effects::asks`.
    Ping {
        /// Comes back.
        nonce: u64,
    },
}

/// One attempt to run; the shell adds the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The attempt.
    pub lease: LeaseId,
    /// Its number, from 1.
    pub attempt: u32,
    /// The task.
    pub task: TaskId,
}

/// What to do with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Resume,
    /// End it and report.
    Kill,
    /// End it; nobody wants the outcome.
    KillAndForget,
    /// Send the result.
    SendResult,
    /// Forget it.
    Forget,
}

/// What is wanted of a worker: a level, not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Desired {
    /// Counts changes.
    pub generation: u64,
    /// Start queued attempts.
    pub accept: bool,
    /// Hand back what still runs after this long; 0: let it finish.
    pub drain_deadline_ms: u64,
}

/// What a new stream is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Protocol of the stream.
    pub protocol: u32,
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch.
    pub epoch: u64,
    /// The name the worker got.
    pub node: Arc<str>,
    /// Heartbeat interval in milliseconds.
    pub heartbeat_ms: u64,
    /// Silence after which the worker starts nothing, in milliseconds.
    pub suspect_ms: u64,
    /// Length of a lease in milliseconds.
    pub lease_ms: u64,
    /// Highest first delay of a reconnect in milliseconds.
    pub reconnect_spread_ms: u64,
    /// What to do with each lease of Hello.
    pub verdicts: Vec<(LeaseId, Verdict)>,
    /// What is wanted.
    pub desired: Desired,
}

/// Why a stream is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// A newer stream of the same process took its place.
    Replaced,
    /// Another process took over the identity: it must not come back.
    Superseded {
        /// Which, for people.
        by: String,
    },
    /// The worker was refused.
    Refused(Refusal),
    /// The worker said Bye.
    Bye,
    /// It sent something that does not belong there.
    Protocol(&'static str),
}

/// Where a task stands, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// The task.
    pub id: TaskId,
    /// Its state.
    pub status: TaskStatus,
    /// Why.
    pub code: ReasonCode,
    /// Why, for people.
    pub detail: String,
    /// Latest attempt.
    pub attempt: u32,
    /// Node of the latest attempt.
    pub node: Option<Arc<str>>,
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The task.
    pub task: TaskId,
    /// Its state now.
    pub status: TaskStatus,
    /// Why.
    pub code: ReasonCode,
    /// Latest attempt.
    pub attempt: u32,
    /// Its node.
    pub node: Option<Arc<str>>,
}
