//! Leases: what a worker says it holds, compared with what the core knows.

use std::collections::BTreeSet;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId};
use openclaw_common::time::Now;

use crate::arena::{NodeKey, TaskKey};
use crate::core::Core;
use crate::effect::{Effects, Verdict};
use crate::model::{Held, HeldState};
use crate::task::Phase;

/// A worker's process must have run an attempt so long before its death counts against the task.
pub(crate) const POISON_AFTER_MS: u64 = 1_000;

/// What a comparison of leases is about.
pub(crate) struct Comparison<'a> {
    /// What the worker says it holds.
    pub(crate) held: &'a [Held],
    /// The stream, and the highest offer batch seen on it. `None`: a Hello, which lists everything.
    pub(crate) seen: Option<(SessionId, u64)>,
    /// The stream that confirms what is held.
    pub(crate) session: SessionId,
}

impl Core {
    /// An orphan whose node reports before the task was placed again is taken back.
    pub(crate) fn adopt(&mut self, key: TaskKey, fx: &mut Effects) {
        let task = &mut self.tasks[key];
        let Some(attempt) = task.open.as_mut().filter(|attempt| attempt.orphan) else {
            return;
        };
        attempt.orphan = false;
        if attempt.phase == Phase::Started {
            self.counts.running += 1;
        } else {
            self.counts.scheduled += 1;
        }
        let code = if attempt.phase == Phase::Started {
            ReasonCode::Running
        } else {
            ReasonCode::Offered
        };
        self.dequeue(key);
        self.notify(key, code, fx);
    }

    /// Compares what a worker holds with what the core knows; renews, adopts, and ends what is missing there.
    pub(crate) fn compare(
        &mut self,
        now: Now,
        node: NodeKey,
        with: &Comparison<'_>,
        fx: &mut Effects,
    ) -> Vec<(LeaseId, Verdict)> {
        let mut listed = BTreeSet::new();
        let mut verdicts = Vec::with_capacity(with.held.len());
        for held in with.held {
            let verdict = match self.attempt_on(held.lease, node) {
                Some(key) => {
                    listed.insert(key);
                    self.confirm(now, key, held.state, with.session, fx)
                }
                None if held.state == HeldState::Finished => Verdict::Forget,
                None => Verdict::KillAndForget,
            };
            verdicts.push((held.lease, verdict));
        }
        if listed.len() < self.nodes[node].attempts.len() {
            let missing: Vec<TaskKey> = self.nodes[node]
                .attempts
                .iter()
                .copied()
                .filter(|key| !listed.contains(key) && self.is_missing(*key, with))
                .collect();
            for key in missing {
                self.missing(now, key, fx);
            }
        }
        verdicts
    }

    /// An attempt that its worker holds: its lease is renewed.
    fn confirm(
        &mut self,
        now: Now,
        key: TaskKey,
        state: HeldState,
        session: SessionId,
        fx: &mut Effects,
    ) -> Verdict {
        let lease_ms = self.settings.lease_ms;
        let cancel = self.tasks[key].cancel_requested();
        self.adopt(key, fx);
        let Some(attempt) = self.tasks[key].open.as_mut() else {
            return Verdict::KillAndForget;
        };
        attempt.expires = now.mono.plus(lease_ms);
        attempt.session = session;
        attempt.offer_seq = 0;
        if attempt.phase == Phase::Recovering {
            attempt.phase = Phase::Offered;
        }
        let kill = cancel || attempt.kill.is_some();
        match state {
            HeldState::Finished => Verdict::SendResult,
            HeldState::Running => {
                self.started(now, key, fx);
                if kill { Verdict::Kill } else { Verdict::Resume }
            }
            HeldState::Queued if kill => Verdict::Kill,
            HeldState::Queued => Verdict::Resume,
        }
    }

    fn is_missing(&self, key: TaskKey, with: &Comparison<'_>) -> bool {
        let Some(attempt) = &self.tasks[key].open else {
            return false;
        };
        match with.seen {
            None => true,
            Some((session, seen)) => attempt.session == session && attempt.offer_seq <= seen,
        }
    }

    /// Its worker is there and does not hold the attempt: never started, it costs nothing; started, it is lost.
    pub(crate) fn missing(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let Some(attempt) = &self.tasks[key].open else {
            return;
        };
        let new_process = attempt.process_id != self.nodes[attempt.node].process_id;
        let may_have_started = match attempt.phase {
            Phase::Started => true,
            Phase::Offered => false,
            Phase::Recovering => new_process,
        };
        if may_have_started {
            let ran = attempt.started.map_or(0, |started| now.wall.since(started));
            let died = new_process && ran >= POISON_AFTER_MS;
            let what = if new_process {
                "the worker's process died"
            } else {
                "its worker lost it"
            };
            self.lost(now, key, died, what, fx);
        } else {
            self.close_unused(key, fx);
            self.wait_again(now, key, ReasonCode::Priority, fx);
        }
    }
}
