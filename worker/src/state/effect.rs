//! What a worker's shell has to do after an event.

use std::sync::Arc;

use openclaw_common::id::{ClusterId, LeaseId, SessionId, TaskId};

use super::Finished;
use crate::model::Job;

/// Things to do, in the order of the fields; each list in its own order.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// Drop the stream, or the dial under way, without reporting its end.
    pub close: bool,
    /// Start these attempts.
    pub starts: Vec<Job>,
    /// End these attempts; each was started before.
    pub kills: Vec<Kill>,
    /// Keep these results on disk; answered by `Spooled` or `SpoolFailed`.
    pub spool_writes: Vec<Arc<Finished>>,
    /// Remove these results from disk, if they are there.
    pub spool_removals: Vec<LeaseId>,
    /// Put away every result on disk: they belong to this other cluster.
    pub spool_aside: Option<ClusterId>,
    /// Keep this for the next start.
    pub remember: Option<Remembered>,
    /// Dial the coordinator now and send what `compose_hello` gives first.
    pub connect: bool,
    /// Tell people.
    pub notices: Vec<Notice>,
    /// End the process.
    pub exit: Option<Exit>,
}

impl Effects {
    /// Nothing to do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        !self.close
            && !self.connect
            && self.starts.is_empty()
            && self.kills.is_empty()
            && self.spool_writes.is_empty()
            && self.spool_removals.is_empty()
            && self.spool_aside.is_none()
            && self.remember.is_none()
            && self.notices.is_empty()
            && self.exit.is_none()
    }
}

/// One attempt to end. A later one for the same attempt only sharpens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// The attempt.
    pub lease: LeaseId,
    /// Because the worker stops or drains, not because the coordinator wants it ended.
    pub hand_back: bool,
    /// Without the grace period.
    pub now: bool,
}

/// What a worker knows of its cluster from one start to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// The cluster it last served.
    pub cluster: ClusterId,
    /// The highest epoch it has seen of it.
    pub epoch: u64,
}

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Somebody asked.
    Stopped,
    /// The token is missing, wrong or not allowed to do this.
    NotAllowed,
    /// Another process has this identity, or the name is taken.
    IdentityTaken,
}

impl Exit {
    /// The process's exit code: 0, 77 (no permission) or 78 (configuration), the two that a service manager must not
    /// answer with a restart.
    pub const fn code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::NotAllowed => 77,
            Self::IdentityTaken => 78,
        }
    }
}

/// Something that people may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A stream is open.
    Connected {
        /// The name this worker got.
        node_id: String,
        /// The cluster.
        cluster: ClusterId,
        /// Its name.
        cluster_name: String,
        /// The coordinator's epoch.
        epoch: u64,
        /// The stream.
        session: SessionId,
        /// The coordinator's build.
        build: String,
    },
    /// There is no stream.
    Disconnected {
        /// The cause.
        detail: String,
        /// Milliseconds until the next try; `None` when there will be none.
        retry_in_ms: Option<u64>,
    },
    /// The coordinator's epoch is older than one seen before; the stream is refused.
    OldEpoch {
        /// The cluster.
        cluster: ClusterId,
        /// What it says.
        epoch: u64,
        /// What was seen.
        seen: u64,
    },
    /// The coordinator serves another cluster than before.
    OtherCluster {
        /// Before.
        before: ClusterId,
        /// Now.
        now: ClusterId,
        /// Attempts that are ended because of it.
        killed: usize,
        /// Results that are put away because of it.
        results: usize,
    },
    /// An attempt could not be ended; what it takes stays taken.
    Wedged {
        /// The attempt.
        lease: LeaseId,
        /// Its task.
        task_id: TaskId,
    },
    /// The coordinator goes away for a while.
    CoordinatorDrains {
        /// Why.
        reason: String,
        /// Milliseconds until the next dial.
        come_back_after_ms: u64,
    },
    /// Another process took over.
    Superseded {
        /// Which.
        by: String,
    },
    /// The coordinator wants something else than before.
    DesiredChanged {
        /// Queued attempts may start.
        accept: bool,
        /// What runs is handed back after this many milliseconds; 0 lets it finish.
        drain_deadline_ms: u64,
    },
    /// The machine slept.
    Slept {
        /// Milliseconds.
        gap_ms: u64,
    },
    /// The worker stops.
    Stopping {
        /// Why.
        reason: String,
        /// Attempts that still run.
        running: usize,
        /// Milliseconds they have left.
        drain_ms: u64,
    },
    /// An offer was given back because the worker holds as many as it can.
    QueueFull {
        /// Offers given back.
        refused: usize,
    },
}
