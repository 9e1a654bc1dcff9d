//! One task as the faces read it: what was asked, and where it stands or how it ended.

use std::sync::Arc;

use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::record::{FinalRow, SubmitRow};
use openclaw_core::view::LiveTask;

/// A task, live or final.
#[derive(Debug, Clone)]
pub struct TaskRecord {
    /// As it was accepted, with its specification.
    pub submit: Arc<SubmitRow>,
    /// Where it stands.
    pub standing: Standing,
}

/// Where a task stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Not final; from the core.
    Live(Box<LiveTask>),
    /// Final; from the store.
    Final(Arc<FinalRow>),
}

impl TaskRecord {
    /// Its id.
    pub fn id(&self) -> TaskId {
        self.submit.task.id
    }

    /// Its state.
    pub fn status(&self) -> TaskStatus {
        match &self.standing {
            Standing::Live(live) => live.state.status,
            Standing::Final(end) => end.status,
        }
    }

    /// Nothing more will happen to it.
    pub fn is_final(&self) -> bool {
        matches!(self.standing, Standing::Final(_))
    }

    /// Number of its latest attempt; 0 before the first.
    pub fn attempt(&self) -> u32 {
        match &self.standing {
            Standing::Live(live) => live.state.attempt,
            Standing::Final(end) => end.attempts.last().map_or(0, |attempt| attempt.number),
        }
    }
}
