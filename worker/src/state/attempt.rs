//! The attempts that a worker holds, and how far each has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::time::Mono;

use super::{Finished, Held, LeaseState};
use crate::model::{Demand, Job};

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub task_id: TaskId,
    pub stage: Stage,
}

/// How far an attempt has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Accepted. It waits in `ready` when the coordinator has judged it since the last gap.
    Queued(Queued),
    /// Handed to the executor, which has not reported its end.
    Running(Running),
    /// Ended; kept until acknowledged.
    Done(Done),
}

/// An attempt that has not started.
#[derive(Debug)]
pub(super) struct Queued {
    /// Place in the order of offers.
    pub order: u64,
    pub offered_at: Mono,
    pub job: Box<Job>,
}

/// An attempt that the executor has.
#[derive(Debug)]
pub(super) struct Running {
    pub demand: Demand,
    pub queued_ms: u64,
    pub kill: Option<Killing>,
    /// Nobody wants to hear of its end.
    pub forget: bool,
    /// It belongs to a cluster that this worker no longer serves.
    pub foreign: bool,
    /// It could not be ended: its lease is no longer renewed.
    pub wedged: bool,
}

/// How an attempt is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Killing {
    pub why: KillFor,
    /// Without grace.
    pub now: bool,
}

/// For whom an attempt is ended; decides what its end is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KillFor {
    /// The worker stops or drains: it may run again elsewhere.
    HandBack,
    /// The coordinator asked.
    Coordinator,
}

/// An attempt that ended.
#[derive(Debug)]
pub(super) struct Done {
    pub finished: Arc<Finished>,
    pub disk: Disk,
    /// When it was last composed on the present stream.
    pub sent_at: Option<Mono>,
    /// It waits in the outbox.
    pub in_outbox: bool,
}

/// Whether a result is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// In memory only.
    No,
    /// Being written.
    Writing,
    /// There.
    Yes,
}

impl Attempt {
    /// What Hello and Heartbeat say of it; nothing when it can no longer be vouched for or is none of this cluster's
    /// business.
    fn held(&self, lease: LeaseId) -> Option<Held> {
        let state = match &self.stage {
            Stage::Queued(_) => LeaseState::Queued,
            Stage::Running(running) if running.wedged || running.foreign => return None,
            Stage::Running(_) => LeaseState::Running,
            Stage::Done(_) => LeaseState::Finished,
        };
        Some(Held {
            lease,
            task_id: self.task_id,
            state,
        })
    }
}

/// What a heartbeat lists.
pub(super) fn held(attempts: &BTreeMap<LeaseId, Attempt>) -> Vec<Held> {
    attempts
        .iter()
        .filter_map(|(lease, attempt)| attempt.held(*lease))
        .collect()
}

/// Thousandths of slots taken by processes that no lease stands for.
pub(super) fn blocked_milli(attempts: &BTreeMap<LeaseId, Attempt>) -> u32 {
    attempts
        .values()
        .filter_map(|attempt| match &attempt.stage {
            Stage::Running(running) if running.wedged || running.foreign => {
                Some(running.demand.slots_milli)
            }
            _ => None,
        })
        .fold(0, u32::saturating_add)
}
