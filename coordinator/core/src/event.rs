//! Everything that can happen to the core.

use openclaw_common::id::{LeaseId, SessionId, TaskId};
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Wall;

use crate::model::{AttemptResult, Heartbeat, Hello, Inventory, NewTask, Principal, Progress};

/// Names the one who waits for an answer; given by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplyId(pub u64);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Tasks to accept, all or none. Answered by `Reply::Submitted`.
    Submit {
        /// Who asks.
        principal: Principal,
        /// At most 10,000.
        tasks: Vec<NewTask>,
        /// Who waits.
        reply: ReplyId,
    },
    /// End a task. Answered by `Reply::Cancelled`.
    Cancel {
        /// Who asks.
        principal: Principal,
        /// Which task.
        task: TaskId,
        /// Why, for people.
        reason: Box<str>,
        /// Who waits.
        reply: ReplyId,
    },
    /// A question about live tasks; the answer leaves with its batch.
    Query {
        /// What.
        query: Query,
        /// Who waits.
        reply: ReplyId,
    },
    /// Something of a worker's stream.
    Session {
        /// Which stream.
        session: SessionId,
        /// What.
        event: SessionEvent,
    },
    /// The coordinator itself stood still: all leases are re-armed, nobody is evicted.
    Stalled {
        /// For how long, in milliseconds.
        gap_ms: u64,
    },
}

/// Something of a worker's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The stream opened with this first message.
    Opened(Box<Hello>),
    /// The stream is gone.
    Closed,
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// Attempts started or went on.
    Updates {
        /// Started.
        started: Vec<LeaseId>,
        /// Went on.
        progress: Vec<(LeaseId, Progress)>,
    },
    /// Attempts ended.
    Results(Vec<AttemptResult>),
    /// Attempts that never started come back.
    Released {
        /// Which.
        leases: Vec<LeaseId>,
        /// Why, for people.
        reason: Box<str>,
    },
    /// Skills or capacity changed.
    Inventory(Box<Inventory>),
    /// The worker wants to stop.
    Leaving {
        /// Why, for people.
        reason: Box<str>,
    },
    /// The worker has stopped.
    Bye,
    /// The machine is about to sleep.
    GoingToSleep {
        /// Queued attempts given back.
        released: Vec<LeaseId>,
    },
    /// It still lives.
    Pong {
        /// The number asked with.
        nonce: u64,
    },
}

/// A question about live tasks. What is final is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// One task, with its reason. Answered by `Reply::Task`.
    Task(TaskId),
    /// Some tasks. Answered by `Reply::Tasks`, in the same order.
    Tasks(Vec<TaskId>),
    /// A page of live tasks. Answered by `Reply::Page`.
    Page(PageQuery),
    /// Why a task waits. Answered by `Reply::Explained`.
    Explain(TaskId),
}

/// Which live tasks; newest id first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// Any of these; empty means all.
    pub statuses: Vec<TaskStatus>,
    /// Only this skill.
    pub skill: Option<Box<str>>,
    /// Only this node.
    pub node: Option<Box<str>>,
    /// Only this user.
    pub user: Option<Box<str>>,
    /// Only this batch.
    pub batch: Option<Box<str>>,
    /// Only submitted at or after.
    pub since: Option<Wall>,
    /// Only ids below this one.
    pub before: Option<TaskId>,
    /// Only ids at or above this one.
    pub from: Option<TaskId>,
    /// At most this many.
    pub limit: usize,
    /// At most this many looked at.
    pub scan: usize,
}
