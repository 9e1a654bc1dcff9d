//! The life of an attempt after its offer: started, compared with what its worker holds, orphaned, closed.

use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId};
use openclaw_common::status::{OnLost, Outcome, TaskStatus, TaskType};
use openclaw_common::time::Now;

use crate::arena::{NodeKey, TaskKey};
use crate::core::Core;
use crate::effect::{Effects, Verdict};
use crate::ending::End;
use crate::model::Progress;
use crate::record::{PastAttempt, Write};
use crate::task::{Attempt, KillCause, Phase};
use crate::timer::Timer;

/// How an attempt ended, for the record.
pub(crate) struct Closing<'a> {
    /// How its worker says it ended; `None`: lost.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) code: ReasonCode,
    pub(crate) exit_code: Option<i32>,
    pub(crate) message: &'a str,
}

impl<'a> Closing<'a> {
    /// No worker has told of its end.
    pub(crate) const fn untold(code: ReasonCode, message: &'a str) -> Self {
        Self {
            outcome: None,
            code,
            exit_code: None,
            message,
        }
    }
}

impl Core {
    /// Takes the attempt off its task, its node and every index. The task is left without a place.
    fn detach(&mut self, key: TaskKey, fx: &mut Effects) -> Option<Attempt> {
        let attempt = *self.tasks[key].open.take()?;
        if !attempt.orphan {
            if attempt.phase == Phase::Started {
                self.counts.running -= 1;
            } else {
                self.counts.scheduled -= 1;
            }
        }
        if let Some(due) = attempt.backstop {
            self.timers.disarm(due, Timer::Backstop(key));
        }
        self.leases.remove(&attempt.lease);
        self.leave_batch(&attempt, fx);
        let class = self.tasks[key].class;
        let node = &mut self.nodes[attempt.node];
        node.used.sub(&self.classes[class].req.demand);
        node.attempts.remove(&key);
        self.version += 1;
        self.nodes.reindex(attempt.node);
        Some(attempt)
    }

    fn leave_batch(&mut self, attempt: &Attempt, fx: &mut Effects) {
        if let Some(left) = self.batches.get_mut(&attempt.batch) {
            *left -= 1;
            if *left == 0 {
                self.batches.remove(&attempt.batch);
                fx.writes.push(Write::OfferDone(attempt.batch));
            }
        }
    }

    /// Ends an attempt that never started; its number is used again.
    pub(crate) fn close_unused(&mut self, key: TaskKey, fx: &mut Effects) {
        self.detach(key, fx);
    }

    /// Ends an attempt that is used up and puts it on record.
    pub(crate) fn close_used_up(
        &mut self,
        now: Now,
        key: TaskKey,
        end: &Closing<'_>,
        fx: &mut Effects,
    ) {
        let Some(attempt) = self.detach(key, fx) else {
            return;
        };
        let record = PastAttempt {
            number: attempt.number,
            lease: attempt.lease,
            node: Arc::clone(&self.nodes[attempt.node].name),
            offered: attempt.offered,
            started: attempt.started,
            ended: now.wall,
            outcome: end.outcome,
            code: end.code,
            exit_code: end.exit_code,
            message: end.message.into(),
        };
        let kept = self.settings.kept_attempts;
        let task = &mut self.tasks[key];
        task.attempt = attempt.number;
        let started = attempt.started.is_some();
        let past = task.past_mut();
        past.closed = Some(attempt.lease);
        past.started_once |= started;
        past.attempts.push(record);
        if past.attempts.len() > kept {
            past.attempts.remove(0);
        }
    }

    /// Writes what a task has been through.
    pub(crate) fn write_state(&mut self, key: TaskKey, fx: &mut Effects) {
        let task = &mut self.tasks[key];
        task.past_mut().stored = true;
        fx.writes.push(Write::State(Box::new(task.state_row())));
    }

    /// The task whose latest attempt this is, if it is on that node.
    pub(crate) fn attempt_on(&self, lease: LeaseId, node: NodeKey) -> Option<TaskKey> {
        let key = *self.leases.get(&lease)?;
        let open = self.tasks[key].open.as_ref()?;
        (open.node == node).then_some(key)
    }

    pub(crate) fn updates(
        &mut self,
        now: Now,
        session: SessionId,
        started: &[LeaseId],
        progress: Vec<(LeaseId, Progress)>,
        fx: &mut Effects,
    ) {
        let Some(node) = self.nodes.of_session(session) else {
            return;
        };
        for lease in started {
            if let Some(key) = self.attempt_on(*lease, node) {
                self.adopt(key, fx);
                self.started(now, key, fx);
            }
        }
        for (lease, progress) in progress {
            if let Some(key) = self.attempt_on(lease, node)
                && let Some(attempt) = &mut self.tasks[key].open
            {
                attempt.progress = Some(Box::new(progress));
            }
        }
    }

    /// Its worker says that an attempt has started.
    pub(crate) fn started(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let policy = self.tasks[key].policy;
        let timeout = self.policies.get(policy).timeout_ms;
        let backstop = self.settings.kill_grace_ms + self.settings.backstop_ms;
        let task = &mut self.tasks[key];
        let daemon = task.kind == TaskType::Daemon;
        let Some(attempt) = task
            .open
            .as_mut()
            .filter(|attempt| attempt.phase != Phase::Started)
        else {
            return;
        };
        attempt.phase = Phase::Started;
        attempt.started = Some(now.wall);
        if let Some(timeout) = timeout.filter(|_| !daemon) {
            let due = now.mono.plus(timeout.saturating_add(backstop));
            attempt.backstop = Some(due);
            self.timers.arm(due, Timer::Backstop(key));
        }
        if let Some(due) = task.queue_due.take() {
            self.timers.disarm(due, Timer::Queue(key));
        }
        self.counts.scheduled -= 1;
        self.counts.running += 1;
        self.version += 1;
        self.notify(key, ReasonCode::Running, fx);
    }

    /// A started attempt is gone for good.
    pub(crate) fn lost(
        &mut self,
        now: Now,
        key: TaskKey,
        died: bool,
        what: &str,
        fx: &mut Effects,
    ) {
        let name = self.tasks[key]
            .open
            .as_ref()
            .map_or_else(String::new, |attempt| {
                self.nodes[attempt.node].name.to_string()
            });
        let message = format!("{what} on {name}");
        let outcome = died.then_some(Outcome::WorkerDied);
        let end = Closing {
            outcome,
            ..Closing::untold(ReasonCode::Lost, &message)
        };
        self.close_used_up(now, key, &end, fx);
        if self.end_if_unwanted(now, key, fx) {
            return;
        }
        self.count_loss(now, key, died, &message, fx);
    }

    pub(crate) fn fails_when_lost(&self, key: TaskKey) -> bool {
        let task = &self.tasks[key];
        task.kind != TaskType::Daemon && self.policies.get(task.policy).on_lost == OnLost::Fail
    }

    /// A task without an attempt that somebody wants ended, or that has waited too long, ends here.
    fn end_if_unwanted(&mut self, now: Now, key: TaskKey, fx: &mut Effects) -> bool {
        let task = &self.tasks[key];
        if let Some(reason) = task.past.as_ref().and_then(|past| past.cancel.clone()) {
            self.finish(
                now,
                key,
                End::new(TaskStatus::Cancelled, ReasonCode::Cancelled, &reason),
                fx,
            );
            return true;
        }
        if !task.started_once() && task.queue_due.is_some_and(|due| due <= now.mono) {
            self.finish_queue_timeout(now, key, fx);
            return true;
        }
        false
    }

    /// Puts a task without an attempt back into the queue, unless it is to end.
    pub(crate) fn wait_again(
        &mut self,
        now: Now,
        key: TaskKey,
        code: ReasonCode,
        fx: &mut Effects,
    ) {
        if self.end_if_unwanted(now, key, fx) {
            return;
        }
        self.enqueue(key);
        self.notify(key, code, fx);
    }

    /// The lease has run out: the task may be placed again, but until that is committed the attempt stays its latest.
    pub(crate) fn orphan(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        if self.tasks[key].cancel_requested() || self.fails_when_lost(key) {
            self.lost(
                now,
                key,
                false,
                "not heard of for the length of its lease; it was",
                fx,
            );
            return;
        }
        let Some(attempt) = self.tasks[key]
            .open
            .as_mut()
            .filter(|attempt| !attempt.orphan)
        else {
            return;
        };
        attempt.orphan = true;
        if attempt.phase == Phase::Started {
            self.counts.running -= 1;
        } else {
            self.counts.scheduled -= 1;
        }
        if let Some(due) = attempt.backstop.take() {
            self.timers.disarm(due, Timer::Backstop(key));
        }
        self.version += 1;
        self.wait_again_orphaned(now, key, fx);
    }

    fn wait_again_orphaned(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let task = &self.tasks[key];
        if !task.started_once() && task.queue_due.is_some_and(|due| due <= now.mono) {
            self.close_unused(key, fx);
            self.finish_queue_timeout(now, key, fx);
            return;
        }
        self.enqueue(key);
        self.notify(key, ReasonCode::Lost, fx);
    }

    /// Offers that come back unstarted.
    pub(crate) fn released(
        &mut self,
        now: Now,
        session: SessionId,
        leases: &[LeaseId],
        why: &str,
        fx: &mut Effects,
    ) {
        let Some(node) = self.nodes.of_session(session) else {
            return;
        };
        for lease in leases {
            let Some(key) = self.attempt_on(*lease, node) else {
                continue;
            };
            let started = self.tasks[key]
                .open
                .as_ref()
                .is_some_and(|attempt| attempt.phase == Phase::Started);
            if started {
                continue;
            }
            self.dequeue(key);
            self.close_unused(key, fx);
            if !why.is_empty() && !self.end_if_unwanted(now, key, fx) {
                self.refused_gate(now, key, why);
            }
            if self.tasks.get(key).is_some_and(|task| task.open.is_none()) {
                self.wait_again(now, key, ReasonCode::Priority, fx);
            }
        }
    }

    /// Asks a worker to end an attempt.
    pub(crate) fn kill(&mut self, key: TaskKey, cause: KillCause, fx: &mut Effects) {
        let Some(attempt) = &mut self.tasks[key].open else {
            return;
        };
        attempt.kill = attempt.kill.or(Some(cause));
        let (node, lease) = (attempt.node, attempt.lease);
        if let Some(session) = &self.nodes[node].session {
            let send = crate::effect::Send::Verdicts(vec![(lease, Verdict::Kill)]);
            fx.sends.push((session.id, send));
        }
    }
}
