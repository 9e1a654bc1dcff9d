//! Accepting tasks: all of a request or none, once per key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openclaw_common::code::{ErrorCode, ReasonCode};
use openclaw_common::id::TaskId;
use openclaw_common::time::Now;

use crate::core::Core;
use crate::effect::{Accepted, Effects, Refusal, Reply};
use crate::event::ReplyId;
use crate::model::{NewTask, Principal, Requirements};
use crate::record::{Gate, SubmitRow, Write};
use crate::task::Task;
use crate::timer::Timer;

/// Policies and users that stay known although nobody uses them.
pub(crate) const KEPT_VALUES: usize = 10_000;

type Keys = BTreeMap<(Arc<str>, Box<str>), (TaskId, u128)>;

impl Core {
    pub(crate) fn submit(
        &mut self,
        now: Now,
        principal: &Principal,
        tasks: Vec<NewTask>,
        reply: ReplyId,
        fx: &mut Effects,
    ) {
        let outcome = self.plan(principal, &tasks).inspect(|plan| {
            for (task, accepted) in tasks.into_iter().zip(plan) {
                if !accepted.existing {
                    self.accept(now, task, fx);
                }
            }
            self.version += 1;
        });
        fx.replies.push((reply, Reply::Submitted(outcome)));
    }

    /// Decides for each task whether it is new, or refuses the request. Changes nothing.
    fn plan(&self, principal: &Principal, tasks: &[NewTask]) -> Result<Vec<Accepted>, Refusal> {
        let mut keys = Keys::new();
        let mut classes: BTreeSet<&Requirements> = BTreeSet::new();
        let mut plan = Vec::with_capacity(tasks.len());
        let mut fresh = 0;
        let mut children = BTreeMap::new();
        for (index, task) in tasks.iter().enumerate() {
            let accepted = self.known(task, &keys).map_err(|refusal| Refusal {
                index: Some(index),
                ..refusal
            })?;
            if *task.user != *principal.user && principal.role < crate::model::Role::Admin {
                return Err(Refusal {
                    code: ErrorCode::PermissionDenied,
                    detail: format!(
                        "user_id: only an admin may submit for another user ({})",
                        task.user
                    ),
                    index: Some(index),
                });
            }
            if !accepted.existing {
                fresh += 1;
                self.plan_child(task, &mut children)
                    .map_err(|refusal| Refusal {
                        index: Some(index),
                        ..refusal
                    })?;
                for key in keys_of(task) {
                    keys.insert(key, (task.id, task.body_hash));
                }
                if self.classes.find(&task.requirements).is_none() {
                    classes.insert(&task.requirements);
                }
            }
            plan.push(accepted);
        }
        self.check_room(fresh, classes.len())?;
        Ok(plan)
    }

    /// Checks that a task submitted from inside another one may be, and counts it.
    fn plan_child(
        &self,
        task: &NewTask,
        children: &mut BTreeMap<TaskId, u32>,
    ) -> Result<(), Refusal> {
        if let Some(parent) = task.parent {
            let lineage = self.lineage(parent, children)?;
            *children.entry(lineage.root).or_default() += 1;
        }
        Ok(())
    }

    /// Whether a task's key or chosen id is known already, here or earlier in the same request.
    fn known(&self, task: &NewTask, keys: &Keys) -> Result<Accepted, Refusal> {
        for key in keys_of(task) {
            let Some((id, body_hash)) = self.keys.get(&key).or_else(|| keys.get(&key)) else {
                continue;
            };
            if *body_hash == task.body_hash {
                return Ok(Accepted {
                    id: *id,
                    existing: true,
                });
            }
            let what = if key.0.is_empty() {
                "task_id"
            } else {
                "idempotency_key"
            };
            return Err(Refusal {
                code: ErrorCode::AlreadyExists,
                detail: format!(
                    "{what}: `{}` already names {id}, which was submitted with another content; use a new {what}",
                    key.1
                ),
                index: None,
            });
        }
        if self.by_id.contains_key(&task.id) {
            return Err(Refusal {
                code: ErrorCode::AlreadyExists,
                detail: format!("task_id: {} is taken", task.id),
                index: None,
            });
        }
        Ok(Accepted {
            id: task.id,
            existing: false,
        })
    }

    fn check_room(&self, fresh: usize, classes: usize) -> Result<(), Refusal> {
        let live = self.tasks.len();
        if live + fresh > self.settings.max_tasks {
            return Err(Refusal {
                code: ErrorCode::QueueFull,
                detail: format!(
                    "the queue holds {live} of at most {} tasks (limits.queue); try again when some have ended",
                    self.settings.max_tasks
                ),
                index: None,
            });
        }
        if classes > 0 && classes > self.classes.room(self.settings.max_classes) {
            return Err(Refusal {
                code: ErrorCode::QueueFull,
                detail: format!(
                    "tasks with more than {} different requirements are waiting (limits.classes); \
                     use fewer combinations of skills, tags, nodes and resources",
                    self.settings.max_classes
                ),
                index: None,
            });
        }
        Ok(())
    }

    fn accept(&mut self, now: Now, new: NewTask, fx: &mut Effects) {
        self.seq += 1;
        let parent = new.parent;
        let row = SubmitRow {
            seq: self.seq,
            at: now.wall,
            task: new,
            // The plan has allowed it.
            lineage: parent.and_then(|parent| self.lineage(parent, &BTreeMap::new()).ok()),
        };
        for key in keys_of(&row.task) {
            self.keys.insert(key, (row.task.id, row.task.body_hash));
        }
        let key = self.place_row(&row, now);
        fx.writes.push(Write::Submit(Box::new(row)));
        self.enqueue(key);
        let code = if self.tasks[key].gated() {
            ReasonCode::NotBefore
        } else {
            ReasonCode::Priority
        };
        self.notify(key, code, fx);
    }

    /// Makes the live task of a row, without its past; a restart does the same.
    pub(crate) fn place_row(&mut self, row: &SubmitRow, now: Now) -> crate::arena::TaskKey {
        let new = &row.task;
        let class = self.class_of(new.requirements.clone());
        self.classes[class].uses += 1;
        let policy = self.policies.acquire(new.policy.clone(), KEPT_VALUES);
        let user = self.users.acquire(Arc::clone(&new.user), KEPT_VALUES);
        let key = self.tasks.insert(Task {
            id: new.id,
            seq: row.seq,
            submitted: row.at,
            class,
            policy,
            user,
            priority: new.priority,
            kind: new.kind,
            attempt: 0,
            queued: false,
            batch: new.batch.clone(),
            lineage: row.lineage.map(Box::new),
            open: None,
            queue_due: None,
            past: None,
        });
        self.by_id.insert(new.id, key);
        if let Some(lineage) = row.lineage {
            self.families.add(lineage.root);
        }
        if let Some(until) = new.not_before.filter(|until| *until > now.wall) {
            let gate = Gate {
                code: ReasonCode::NotBefore,
                until,
                span_ms: until.since(row.at),
            };
            self.set_gate(now, key, gate);
        }
        if let Some(limit) = new.policy.queue_timeout_ms {
            let waited = now.wall.since(row.at);
            self.arm_queue_timeout(key, now.mono.plus(limit.saturating_sub(waited)));
        }
        key
    }

    pub(crate) fn arm_queue_timeout(
        &mut self,
        key: crate::arena::TaskKey,
        due: openclaw_common::time::Mono,
    ) {
        self.tasks[key].queue_due = Some(due);
        self.timers.arm(due, Timer::Queue(key));
    }
}

/// What names a task besides its own id: the caller's key, and the id when the caller chose it.
pub(crate) fn keys_of(task: &NewTask) -> impl Iterator<Item = (Arc<str>, Box<str>)> {
    let key = task
        .key
        .as_ref()
        .map(|key| (Arc::clone(&task.user), key.clone()));
    let id = task
        .id_given
        .then(|| (Arc::from(""), task.id.to_string().into_boxed_str()));
    key.into_iter().chain(id)
}
