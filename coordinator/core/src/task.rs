//! A live task as the core keeps it: what it needs to decide, nothing more. The specification stays in the store.

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId, TaskId};
use openclaw_common::status::{Priority, TaskStatus, TaskType};
use openclaw_common::time::{Mono, Wall};

use crate::arena::{ClassKey, NodeKey, PolicyKey, UserKey};
use crate::model::Progress;
use crate::queue::LaneKey;
use crate::record::{BatchId, Gate, Lineage, PastAttempt, StateRow};

/// A task that is not final.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) seq: u64,
    pub(crate) submitted: Wall,
    pub(crate) class: ClassKey,
    pub(crate) policy: PolicyKey,
    pub(crate) user: UserKey,
    pub(crate) priority: Priority,
    pub(crate) kind: TaskType,
    /// Number of the last attempt that is used up.
    pub(crate) attempt: u32,
    /// It waits in the queue.
    pub(crate) queued: bool,
    pub(crate) batch: Option<Box<str>>,
    /// Where it stands among tasks submitted from inside each other.
    pub(crate) lineage: Option<Box<Lineage>>,
    /// Its latest attempt, open or orphaned.
    pub(crate) open: Option<Box<Attempt>>,
    /// When it must have started, if it must.
    pub(crate) queue_due: Option<Mono>,
    /// What it has been through, if it did not go straight.
    pub(crate) past: Option<Box<Past>>,
}

/// What a task has been through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub(crate) retries: u32,
    pub(crate) losses: u32,
    pub(crate) deaths: u32,
    pub(crate) cancel: Option<Box<str>>,
    pub(crate) gate: Option<(Gate, Mono)>,
    pub(crate) started_once: bool,
    pub(crate) spawn_failed_on: Vec<std::sync::Arc<str>>,
    pub(crate) attempts: Vec<PastAttempt>,
    /// There is a row of it in the store.
    pub(crate) stored: bool,
    pub(crate) closed: Option<LeaseId>,
    /// Reason of its present wait, when it is not plain.
    pub(crate) last: Option<(ReasonCode, Box<str>)>,
}

/// How far an attempt is known to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Offered; not known to have started.
    Offered,
    /// Started.
    Started,
    /// Found at a restart; its node has not reported yet.
    Recovering,
}

/// Why the coordinator itself ends an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KillCause {
    /// Somebody asked to cancel the task.
    Cancel,
    /// It ran past timeout, grace and backstop.
    Backstop,
}

/// The latest attempt of a task.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) lease: LeaseId,
    pub(crate) number: u32,
    pub(crate) node: NodeKey,
    pub(crate) batch: BatchId,
    /// The stream that carried the offer, or confirmed it since.
    pub(crate) session: SessionId,
    /// Its offer batch on that stream; 0 once the worker has confirmed the attempt.
    pub(crate) offer_seq: u64,
    pub(crate) phase: Phase,
    /// The lease has run out; the task may be placed again, which makes this attempt stale.
    pub(crate) orphan: bool,
    pub(crate) offered: Wall,
    pub(crate) offered_mono: Mono,
    /// It was asked back because another node could start it at once.
    pub(crate) revoked: bool,
    pub(crate) started: Option<Wall>,
    pub(crate) expires: Mono,
    pub(crate) backstop: Option<Mono>,
    pub(crate) kill: Option<KillCause>,
    pub(crate) progress: Option<Box<Progress>>,
    /// The worker process that was offered it.
    pub(crate) process_id: std::sync::Arc<str>,
}

impl Task {
    pub(crate) fn lane(&self) -> LaneKey {
        LaneKey::of(self.priority, self.kind, self.user)
    }

    pub(crate) fn status(&self) -> TaskStatus {
        match &self.open {
            Some(attempt) if !attempt.orphan => match attempt.phase {
                Phase::Started => TaskStatus::Running,
                Phase::Offered | Phase::Recovering => TaskStatus::Scheduled,
            },
            _ => TaskStatus::Pending,
        }
    }

    pub(crate) fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    pub(crate) fn cancel_requested(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.cancel.is_some())
    }

    pub(crate) fn gated(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.gate.is_some())
    }

    pub(crate) fn started_once(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.started_once)
            || self
                .open
                .as_ref()
                .is_some_and(|attempt| attempt.started.is_some())
    }

    pub(crate) fn latest_number(&self) -> u32 {
        self.open
            .as_ref()
            .map_or(self.attempt, |attempt| attempt.number)
    }

    pub(crate) fn state_row(&self) -> StateRow {
        let past = self.past.as_deref().cloned().unwrap_or_default();
        StateRow {
            id: self.id,
            attempt: self.attempt,
            closed: past.closed,
            retries: past.retries,
            losses: past.losses,
            deaths: past.deaths,
            cancel: past.cancel,
            gate: past.gate.map(|(gate, _)| gate),
            started_once: past.started_once,
            spawn_failed_on: past.spawn_failed_on,
            attempts: past.attempts,
        }
    }
}
