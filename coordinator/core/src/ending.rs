//! How attempts end and what that costs: retries, losses, final states.

use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::SessionId;
use openclaw_common::status::{Outcome, RetryOn, TaskStatus, TaskType};
use openclaw_common::time::{Now, Wall};

use crate::arena::{NodeKey, TaskKey};
use crate::attempt::Closing;
use crate::core::Core;
use crate::effect::{Effects, Notice, Send};
use crate::lease::POISON_AFTER_MS;
use crate::model::AttemptResult;
use crate::record::{FinalRow, Gate, Write};
use crate::task::KillCause;
use crate::timer::Timer;

/// `sysexits.h`: the failures that another try does not mend, but for 75, `EX_TEMPFAIL`.
const PERMANENT_EXITS: std::ops::RangeInclusive<i32> = 64..=78;
const TEMPORARY_EXIT: i32 = 75;

/// A daemon that ran so long is healthy: its backoff begins anew.
const HEALTHY_MS: u64 = 60_000;

/// How a task ends.
pub(crate) struct End<'a> {
    status: TaskStatus,
    code: ReasonCode,
    detail: &'a str,
    /// What its last attempt brought, when that ended it.
    result: Option<AttemptResult>,
}

impl<'a> End<'a> {
    /// An end that no worker's report brings.
    pub(crate) const fn new(status: TaskStatus, code: ReasonCode, detail: &'a str) -> Self {
        Self {
            status,
            code,
            detail,
            result: None,
        }
    }
}

impl Core {
    pub(crate) fn results(
        &mut self,
        now: Now,
        session: SessionId,
        results: Vec<AttemptResult>,
        fx: &mut Effects,
    ) {
        let Some(node) = self.nodes.of_session(session) else {
            return;
        };
        let acks = results.iter().map(|result| result.lease).collect();
        for result in results {
            if let Some(key) = self.attempt_on(result.lease, node) {
                self.dequeue(key);
                self.ended(now, key, node, result, fx);
            }
        }
        fx.sends.push((session, Send::ResultAcks(acks)));
    }

    fn ended(
        &mut self,
        now: Now,
        key: TaskKey,
        node: NodeKey,
        result: AttemptResult,
        fx: &mut Effects,
    ) {
        let Some(attempt) = &self.tasks[key].open else {
            return;
        };
        let kill = attempt.kill;
        let ran = attempt.started.is_some() || result.run_ms > 0;
        let code = code_of(result.outcome, kill);
        if ran && let Some(attempt) = &mut self.tasks[key].open {
            // Its start may not have been reported, or be known from a report after a restart only.
            let began = Wall(now.wall.0.saturating_sub(result.run_ms)).max(attempt.offered);
            attempt.started = Some(attempt.started.map_or(began, |known| known.min(began)));
        }
        self.count_on(node, &result);
        let end = Closing {
            outcome: Some(result.outcome),
            code,
            exit_code: result.exit_code,
            message: &result.message,
        };
        self.close_used_up(now, key, &end, fx);
        match result.outcome {
            Outcome::Succeeded => self.succeeded(now, key, result, fx),
            Outcome::Killed => self.killed(now, key, kill, result, fx),
            Outcome::HandedBack => self.handed_back(now, key, &result.message, fx),
            Outcome::SpawnFailed => self.spawn_failed(now, key, node, &result, fx),
            Outcome::WorkerDied => self.worker_died(now, key, &result, fx),
            Outcome::Exit
            | Outcome::Signal
            | Outcome::Timeout
            | Outcome::ProgressTimeout
            | Outcome::BadOutput => self.failed(now, key, code, result, fx),
        }
    }

    fn count_on(&mut self, node: NodeKey, result: &AttemptResult) {
        let node = &mut self.nodes[node];
        if result.outcome == Outcome::Succeeded {
            node.succeeded += 1;
            node.learn_pace(result.run_ms);
            node.run_ms = node.run_ms.saturating_add(result.run_ms);
        } else {
            node.failed += 1;
        }
    }

    fn succeeded(&mut self, now: Now, key: TaskKey, result: AttemptResult, fx: &mut Effects) {
        if self.restarts(key) {
            self.back_off(now, key, ReasonCode::Ok, &result, fx);
        } else {
            self.finish(
                now,
                key,
                End {
                    result: Some(result),
                    ..End::new(TaskStatus::Completed, ReasonCode::Ok, "")
                },
                fx,
            );
        }
    }

    /// A daemon that nobody has cancelled is started again, however it ended.
    fn restarts(&self, key: TaskKey) -> bool {
        let task = &self.tasks[key];
        task.kind == TaskType::Daemon && !task.cancel_requested()
    }

    fn killed(
        &mut self,
        now: Now,
        key: TaskKey,
        cause: Option<KillCause>,
        result: AttemptResult,
        fx: &mut Effects,
    ) {
        if self.tasks[key].cancel_requested() {
            let reason = self.tasks[key]
                .past
                .as_ref()
                .and_then(|past| past.cancel.clone());
            let reason = reason.unwrap_or_default();
            self.finish(
                now,
                key,
                End {
                    result: Some(result),
                    ..End::new(TaskStatus::Cancelled, ReasonCode::Cancelled, &reason)
                },
                fx,
            );
        } else if cause == Some(KillCause::Backstop) {
            self.failed(now, key, ReasonCode::Timeout, result, fx);
        } else {
            self.wait_again(now, key, ReasonCode::HandedBack, fx);
            self.write_state_if_live(key, fx);
        }
    }

    fn handed_back(&mut self, now: Now, key: TaskKey, why: &str, fx: &mut Effects) {
        if self.fails_when_lost(key) && !self.tasks[key].cancel_requested() {
            self.finish(
                now,
                key,
                End::new(TaskStatus::Failed, ReasonCode::Lost, why),
                fx,
            );
            return;
        }
        self.wait_again(now, key, ReasonCode::HandedBack, fx);
        self.write_state_if_live(key, fx);
    }

    fn write_state_if_live(&mut self, key: TaskKey, fx: &mut Effects) {
        if self.tasks.get(key).is_some() {
            self.write_state(key, fx);
        }
    }

    fn spawn_failed(
        &mut self,
        now: Now,
        key: TaskKey,
        node: NodeKey,
        result: &AttemptResult,
        fx: &mut Effects,
    ) {
        let req = Arc::clone(&self.classes[self.tasks[key].class].req);
        let name = Arc::clone(&self.nodes[node].name);
        if let Some(skill) = &req.skill {
            let why = format!("could not be started: {}", result.message);
            self.nodes[node].broken.insert(skill.clone(), why);
            self.reclassify(node);
        }
        let cap = self.settings.spawn_cap;
        let past = self.tasks[key].past_mut();
        // A skill is not tried again where it could not start; a command is, and may fail so often anywhere.
        if req.skill.is_none() || !past.spawn_failed_on.contains(&name) {
            past.spawn_failed_on.push(name);
        }
        let on = past.spawn_failed_on.join(", ");
        if past.spawn_failed_on.len() >= cap {
            let detail = format!("could not be started on {on}: {}", result.message);
            self.finish(
                now,
                key,
                End::new(TaskStatus::Failed, ReasonCode::Spawn, &detail),
                fx,
            );
            return;
        }
        if req.skill.is_none() {
            self.refused_gate(now, key, &result.message);
        }
        self.wait_again(now, key, ReasonCode::SkillIneligible, fx);
        self.write_state_if_live(key, fx);
    }

    /// The worker's former process died under the attempt, and its new one says so.
    fn worker_died(&mut self, now: Now, key: TaskKey, result: &AttemptResult, fx: &mut Effects) {
        if self.tasks[key].cancel_requested() {
            self.wait_again(now, key, ReasonCode::Lost, fx);
            return;
        }
        let died = result.run_ms >= POISON_AFTER_MS;
        self.count_loss(now, key, died, &result.message, fx);
    }

    /// Charges a task without an attempt for the one that was lost, and lets it wait again if it can afford that.
    /// `died`: the worker's process died under it, long enough after its start to count.
    pub(crate) fn count_loss(
        &mut self,
        now: Now,
        key: TaskKey,
        died: bool,
        message: &str,
        fx: &mut Effects,
    ) {
        let cap = self.settings.poison_cap;
        if died && self.tasks[key].kind != TaskType::Daemon {
            let past = self.tasks[key].past_mut();
            past.deaths += 1;
            if past.deaths >= cap {
                let detail = format!("the worker's process died under it {} times", past.deaths);
                let end = End::new(TaskStatus::Failed, ReasonCode::Poison, &detail);
                self.finish(now, key, end, fx);
                return;
            }
        }
        if self.fails_when_lost(key) {
            let end = End::new(TaskStatus::Failed, ReasonCode::Lost, message);
            self.finish(now, key, end, fx);
        } else if self.charge_loss(now, key, fx) {
            self.wait_again(now, key, ReasonCode::Lost, fx);
            self.write_state_if_live(key, fx);
        }
    }

    fn failed(
        &mut self,
        now: Now,
        key: TaskKey,
        code: ReasonCode,
        result: AttemptResult,
        fx: &mut Effects,
    ) {
        if self.restarts(key) || self.may_retry(key, code, &result) {
            self.back_off(now, key, code, &result, fx);
            return;
        }
        let status = match code {
            ReasonCode::Timeout | ReasonCode::ProgressTimeout => TaskStatus::Timeout,
            _ => TaskStatus::Failed,
        };
        let detail = result.message.clone();
        self.finish(
            now,
            key,
            End {
                result: Some(result),
                ..End::new(status, code, &detail)
            },
            fx,
        );
    }

    fn may_retry(&self, key: TaskKey, code: ReasonCode, result: &AttemptResult) -> bool {
        let task = &self.tasks[key];
        let policy = self.policies.get(task.policy);
        let used = task.past.as_ref().map_or(0, |past| past.retries);
        if task.cancel_requested() || used >= policy.max_retries {
            return false;
        }
        if let (ReasonCode::Exit, Some(exit)) = (code, result.exit_code) {
            if exit == TEMPORARY_EXIT {
                return true;
            }
            if PERMANENT_EXITS.contains(&exit) || policy.no_retry_on.contains(&exit) {
                return false;
            }
        }
        let kind = match code {
            ReasonCode::Exit => RetryOn::Exit,
            ReasonCode::Signal => RetryOn::Signal,
            ReasonCode::Timeout | ReasonCode::ProgressTimeout => RetryOn::Timeout,
            _ => RetryOn::Output,
        };
        policy.retry_on.contains(&kind)
    }

    fn back_off(
        &mut self,
        now: Now,
        key: TaskKey,
        code: ReasonCode,
        result: &AttemptResult,
        fx: &mut Effects,
    ) {
        let random = openclaw_common::backoff::splitmix(&mut self.rng);
        let backoff = self.policies.get(self.tasks[key].policy).backoff;
        let task = &mut self.tasks[key];
        let daemon = task.kind == TaskType::Daemon;
        let past = task.past_mut();
        if daemon && result.run_ms >= HEALTHY_MS {
            past.retries = 0;
        }
        let span_ms = backoff.delay_ms(past.retries, random);
        past.retries += 1;
        past.last = Some((code, result.message.clone()));
        let gate = Gate {
            code: ReasonCode::Backoff,
            until: now.wall.plus(span_ms),
            span_ms,
        };
        self.set_gate(now, key, gate);
        self.notify(key, ReasonCode::Backoff, fx);
        self.write_state(key, fx);
    }

    /// Ends a task: writes its final record and forgets it. It has no attempt any more.
    pub(crate) fn finish(&mut self, now: Now, key: TaskKey, end: End<'_>, fx: &mut Effects) {
        self.dequeue(key);
        self.clear_gate(key);
        if let Some(due) = self.tasks[key].queue_due.take() {
            self.timers.disarm(due, Timer::Queue(key));
        }
        let Some(task) = self.tasks.remove(key) else {
            return;
        };
        self.by_id.remove(&task.id);
        let lineage = task.lineage.as_deref().copied();
        let root_lives = lineage.is_some_and(|lineage| self.by_id.contains_key(&lineage.root));
        self.families.leave(task.id, lineage, root_lives);
        self.classes[task.class].uses -= 1;
        let ttl_ms = self.policies.get(task.policy).ttl_ms;
        self.policies.release(task.policy);
        self.users.release(task.user);
        self.version += 1;
        let past = task.past.map(|past| *past).unwrap_or_default();
        let last = past.attempts.last();
        fx.notices.push(Notice {
            task: task.id,
            status: end.status,
            code: end.code,
            attempt: task.attempt,
            node: last.map(|attempt| Arc::clone(&attempt.node)),
        });
        fx.writes.push(Write::Final(Box::new(FinalRow {
            id: task.id,
            status: end.status,
            code: end.code,
            detail: end.detail.into(),
            submitted: task.submitted,
            completed: now.wall,
            retries: past.retries,
            losses: past.losses,
            attempts: past.attempts,
            run_ms: end.result.as_ref().map_or(0, |result| result.run_ms),
            ttl_ms,
            had_state: past.stored,
            payload: end.result.map(|result| result.payload).unwrap_or_default(),
        })));
    }
}

/// The code of an outcome, given why the coordinator had asked for the end, if it had.
fn code_of(outcome: Outcome, kill: Option<KillCause>) -> ReasonCode {
    match outcome {
        Outcome::Succeeded => ReasonCode::Ok,
        Outcome::Exit => ReasonCode::Exit,
        Outcome::Signal => ReasonCode::Signal,
        Outcome::Timeout => ReasonCode::Timeout,
        Outcome::ProgressTimeout => ReasonCode::ProgressTimeout,
        Outcome::BadOutput => ReasonCode::Output,
        Outcome::Killed => match kill {
            Some(KillCause::Cancel) => ReasonCode::Cancelled,
            Some(KillCause::Backstop) => ReasonCode::Timeout,
            _ => ReasonCode::HandedBack,
        },
        Outcome::SpawnFailed => ReasonCode::Spawn,
        Outcome::HandedBack => ReasonCode::HandedBack,
        Outcome::WorkerDied => ReasonCode::Lost,
    }
}
