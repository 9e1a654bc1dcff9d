//! What really happened, recorded by the simulation itself: what was promised, decided, made durable, started.
//!
//! Owns: one entry a task, a lease, a session. It follows the core only where it must (what was decided when), and
//! keeps its own idea of how long a lease lasts.

use std::collections::{BTreeMap, BTreeSet};

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId, TaskId};
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Mono;
use openclaw_core::event::SessionEvent;
use openclaw_core::record::{FinalRow, Write};

use super::agenda::ProcId;
use super::client::Request;
use super::verdict::{Checked, broken};

/// A task as it was handed to the core.
#[derive(Debug, Clone)]
pub(crate) struct TaskTruth {
    /// Which of the run's plans.
    pub(crate) number: usize,
    pub(crate) request: usize,
    /// Its submit row is on disk.
    pub(crate) durable: bool,
    /// A client was told that it was accepted.
    pub(crate) acknowledged: bool,
    /// Its attempts, oldest first.
    pub(crate) leases: Vec<LeaseId>,
    /// Its end as decided in this run of the core.
    pub(crate) decided: Option<TaskStatus>,
    /// When that end reached the disk, by the true time.
    pub(crate) ended_at: Option<u64>,
    /// Its end as it is on disk.
    pub(crate) recorded: Option<Recorded>,
    /// When a client was told that it is being cancelled.
    pub(crate) cancelling: Option<u64>,
}

/// An end that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) status: TaskStatus,
    pub(crate) code: ReasonCode,
    lease: Option<LeaseId>,
    /// It was cancelled while its node was away, so that an attempt may still run.
    pub(crate) away: bool,
}

impl Recorded {
    pub(crate) fn of(row: &FinalRow) -> Self {
        let last = row.attempts.last();
        Self {
            status: row.status,
            code: row.code,
            lease: last.map(|attempt| attempt.lease),
            away: last.is_some_and(|attempt| {
                attempt.code == ReasonCode::Cancelled && attempt.outcome.is_none()
            }),
        }
    }
}

/// An attempt.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact, and they do not exclude each other"
)]
pub(crate) struct LeaseTruth {
    pub(crate) task: TaskId,
    pub(crate) attempt: u32,
    /// When it was decided, by the true time.
    pub(crate) decided_at: u64,
    /// The offer is on disk.
    pub(crate) durable: bool,
    /// When it runs out on the coordinator's clock.
    pub(crate) until: Mono,
    /// The core has taken in its result.
    pub(crate) told: bool,
    /// It is on record as ended.
    pub(crate) closed: bool,
    /// Its program was started, by this process and then.
    pub(crate) started: Option<(ProcId, u64)>,
    pub(crate) wedged: bool,
    /// The node that it was placed on.
    pub(crate) node: String,
    /// Its program has ended under this process, which has the result.
    pub(crate) ended_by: Option<ProcId>,
}

/// A stream that Hello was read from in this run of the core.
#[derive(Debug, Clone)]
struct SessionTruth {
    uid: String,
    held: Vec<LeaseId>,
}

/// Everything that is known to be true.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) tasks: BTreeMap<TaskId, TaskTruth>,
    pub(crate) leases: BTreeMap<LeaseId, LeaseTruth>,
    sessions: BTreeMap<SessionId, SessionTruth>,
    /// The welcomed stream of each worker.
    welcomed: BTreeMap<String, SessionId>,
    /// Workers whose identity two machines have: nobody can tell a copy from a restart.
    pub(crate) copied: BTreeSet<String>,
    /// Ids that each request was answered with.
    answers: BTreeMap<usize, Vec<TaskId>>,
    /// A batch of which it is unknown whether it is on disk.
    pub(crate) doubtful: Vec<Write>,
}

impl Truth {
    /// A task goes into the core under this id.
    pub(crate) fn handed(&mut self, id: TaskId, number: usize, request: usize) {
        self.tasks.entry(id).or_insert(TaskTruth {
            number,
            request,
            durable: false,
            acknowledged: false,
            leases: Vec::new(),
            decided: None,
            ended_at: None,
            recorded: None,
            cancelling: None,
        });
    }

    /// A client is told that its request was accepted.
    pub(crate) fn acknowledged(
        &mut self,
        index: usize,
        request: &Request,
        ids: &[TaskId],
    ) -> Checked {
        if let Some(before) = self.answers.get(&index)
            && before != ids
        {
            return broken(
                "once",
                format!("request {index} was answered with {before:?}, then with {ids:?}"),
            );
        }
        for (id, number) in ids.iter().zip(&request.numbers) {
            let Some(task) = self.tasks.get_mut(id) else {
                return broken(
                    "once",
                    format!("request {index} was answered with {id}, which nobody made"),
                );
            };
            if task.number != *number || task.request != index {
                return broken(
                    "once",
                    format!(
                        "request {index} was answered with {id} of request {}",
                        task.request
                    ),
                );
            }
            if !task.durable {
                return broken(
                    "durable",
                    format!("{id} was acknowledged before it was on disk"),
                );
            }
            task.acknowledged = true;
        }
        self.answers.insert(index, ids.to_vec());
        Ok(())
    }

    /// The latest attempt of a task.
    pub(crate) fn latest(&self, task: TaskId) -> Option<LeaseId> {
        self.tasks.get(&task)?.leases.last().copied()
    }

    /// The stream that took the place of this one.
    pub(crate) fn newer_session(&self, session: SessionId) -> Option<SessionId> {
        let uid = &self.sessions.get(&session)?.uid;
        let newer = *self.welcomed.get(uid)?;
        (newer != session).then_some(newer)
    }

    /// It is its task's latest attempt.
    pub(crate) fn is_latest(&self, lease: LeaseId) -> bool {
        let task = self.leases.get(&lease).map(|known| known.task);
        task.is_some_and(|task| self.latest(task) == Some(lease))
    }

    /// It is its task's latest attempt, not ended, and its lease is over.
    pub(crate) fn has_run_out(&self, lease: LeaseId, now: Mono) -> bool {
        let over = |known: &LeaseTruth| !known.closed && !known.told && known.until <= now;
        self.is_latest(lease) && self.leases.get(&lease).is_some_and(over)
    }

    /// What a stream's Hello listed.
    pub(crate) fn held_at_hello(&self, session: SessionId) -> Vec<LeaseId> {
        self.sessions
            .get(&session)
            .map(|known| known.held.clone())
            .unwrap_or_default()
    }

    /// Since when, by the true time, nobody wants this attempt to go on.
    pub(crate) fn unwanted_since(&self, lease: LeaseId) -> Option<u64> {
        let task = self.tasks.get(&self.leases.get(&lease)?.task)?;
        if let Some(next) = task.leases.iter().find(|other| **other > lease) {
            return Some(self.leases.get(next)?.decided_at);
        }
        task.ended_at.or(task.cancelling)
    }

    /// A new run of the core knows no streams.
    pub(crate) fn forget_sessions(&mut self) {
        self.sessions.clear();
        self.welcomed.clear();
    }

    /// A worker's Hello reaches the core.
    pub(crate) fn introduced(&mut self, session: SessionId, uid: &str, held: Vec<LeaseId>) {
        let uid = uid.to_owned();
        self.sessions.insert(session, SessionTruth { uid, held });
    }

    /// The core welcomes a worker, which renews what its Hello listed.
    pub(crate) fn welcome(&mut self, session: SessionId, until: Mono) {
        if let Some(known) = self.sessions.get(&session).cloned() {
            self.welcomed.insert(known.uid, session);
            self.renew(&known.held, until);
        }
    }

    /// The stream is the one that the core knows its worker by.
    pub(crate) fn is_welcomed(&self, session: SessionId) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|known| self.welcomed.get(&known.uid) == Some(&session))
    }

    /// The stream has ended.
    pub(crate) fn parted(&mut self, session: SessionId) {
        if self.is_welcomed(session)
            && let Some(known) = self.sessions.get(&session)
        {
            self.welcomed.remove(&known.uid);
        }
    }

    /// Latest attempts that are listed last until then.
    pub(crate) fn renew(&mut self, leases: &[LeaseId], until: Mono) {
        for lease in leases {
            let Some(task) = self.leases.get(lease).map(|known| known.task) else {
                continue;
            };
            if self.latest(task) == Some(*lease)
                && let Some(known) = self.leases.get_mut(lease)
            {
                known.until = known.until.max(until);
            }
        }
    }

    /// The program of an attempt could not be ended: its lease is no longer renewed, by design.
    pub(crate) fn wedged(&mut self, lease: LeaseId) {
        if let Some(known) = self.leases.get_mut(&lease) {
            known.wedged = true;
        }
    }

    /// The program of an attempt has ended, and its worker knows how.
    pub(crate) fn program_ended(&mut self, lease: LeaseId, by: ProcId) {
        if let Some(known) = self.leases.get_mut(&lease) {
            known.ended_by = Some(by);
        }
    }

    /// The stream of the node that has the task's latest attempt.
    pub(crate) fn session_of_latest(&self, lease: LeaseId) -> Option<SessionId> {
        let latest = self.latest(self.leases.get(&lease)?.task)?;
        let node = &self.leases.get(&latest)?.node;
        self.welcomed.get(&format!("uid-{node}")).copied()
    }

    /// The node has a stream that was welcomed and has not ended.
    pub(crate) fn is_connected(&self, node: &str) -> bool {
        self.welcomed.contains_key(&format!("uid-{node}"))
    }

    /// An offer leaves only when it is on disk.
    pub(crate) fn check_offer_is_durable(&self, lease: LeaseId) -> Checked {
        if self.leases.get(&lease).is_some_and(|known| known.durable) {
            return Ok(());
        }
        broken(
            "durable",
            format!("{lease} was offered before it was on disk"),
        )
    }

    /// Makes of every result one of its task's latest attempt: a mistake to be caught.
    pub(crate) fn take_results_for_latest(&self, event: &mut SessionEvent) {
        let SessionEvent::Results(results) = event else {
            return;
        };
        for result in results {
            let task = self.leases.get(&result.lease).map(|known| known.task);
            if let Some(latest) = task.and_then(|task| self.latest(task)) {
                result.lease = latest;
            }
        }
    }

    /// Attempts and ends that were decided and never reached the disk have not happened.
    pub(crate) fn forget_undurable(&mut self) {
        self.leases.retain(|_, lease| lease.durable);
        let leases = &self.leases;
        for task in self.tasks.values_mut() {
            task.leases.retain(|lease| leases.contains_key(lease));
            task.decided = task.recorded.as_ref().map(|recorded| recorded.status);
        }
        for lease in self.leases.values_mut() {
            lease.closed = false;
        }
    }
}
