//! What holds a task back until a time, and the time limits of waiting and running.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Now;

use crate::arena::TaskKey;
use crate::core::Core;
use crate::effect::{Effects, Send};
use crate::ending::End;
use crate::record::Gate;
use crate::task::KillCause;
use crate::timer::Timer;

/// Pause before a task goes to a node again that has just refused it.
const REFUSED_MS: u64 = 1_000;

impl Core {
    /// Holds a task back for a moment after a node has refused it, so that it does not spin.
    pub(crate) fn refused_gate(&mut self, now: Now, key: TaskKey, why: &str) {
        let gate = Gate {
            code: ReasonCode::Backoff,
            until: now.wall.plus(REFUSED_MS),
            span_ms: REFUSED_MS,
        };
        self.tasks[key].past_mut().last = Some((ReasonCode::Backoff, why.into()));
        self.set_gate(now, key, gate);
    }

    /// Closes a gate before a task, until then at most `span_ms` from now.
    pub(crate) fn set_gate(&mut self, now: Now, key: TaskKey, gate: Gate) {
        self.clear_gate(key);
        let left = gate.until.since(now.wall).min(gate.span_ms);
        let due = now.mono.plus(left);
        self.tasks[key].past_mut().gate = Some((gate, due));
        self.timers.arm(due, Timer::Gate(key));
    }

    pub(crate) fn clear_gate(&mut self, key: TaskKey) {
        if let Some((_, due)) = self.tasks[key]
            .past
            .as_mut()
            .and_then(|past| past.gate.take())
        {
            self.timers.disarm(due, Timer::Gate(key));
        }
    }

    pub(crate) fn gate_opens(&mut self, now: Now, key: TaskKey) {
        let due = self
            .tasks
            .get(key)
            .and_then(|task| Some(task.past.as_ref()?.gate?.1));
        if due.is_some_and(|due| due <= now.mono) {
            self.clear_gate(key);
            self.enqueue(key);
        }
    }

    pub(crate) fn queue_timeout(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        if task.queue_due.is_none_or(|due| due > now.mono) || task.started_once() {
            return;
        }
        match &task.open {
            None => self.finish_queue_timeout(now, key, fx),
            Some(attempt) if attempt.orphan => {
                self.dequeue(key);
                self.close_unused(key, fx);
                self.finish_queue_timeout(now, key, fx);
            }
            // It is at a worker: whether it has started is for the worker to say.
            Some(attempt) => {
                let (node, lease) = (attempt.node, attempt.lease);
                if let Some(session) = &self.nodes[node].session {
                    fx.sends.push((session.id, Send::Revoke(vec![lease])));
                }
            }
        }
    }

    pub(crate) fn finish_queue_timeout(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let limit = self
            .policies
            .get(self.tasks[key].policy)
            .queue_timeout_ms
            .unwrap_or(0);
        let detail = format!("did not start within {} s", limit / 1_000);
        self.finish(
            now,
            key,
            End::new(TaskStatus::Timeout, ReasonCode::QueueTimeout, &detail),
            fx,
        );
    }

    pub(crate) fn backstop(&mut self, now: Now, key: TaskKey, fx: &mut Effects) {
        let due = self
            .tasks
            .get(key)
            .and_then(|task| task.open.as_ref()?.backstop);
        if due.is_some_and(|due| due <= now.mono) {
            if let Some(attempt) = &mut self.tasks[key].open {
                attempt.backstop = None;
            }
            self.kill(key, KillCause::Backstop, fx);
        }
    }
}
