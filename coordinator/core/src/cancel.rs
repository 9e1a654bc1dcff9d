//! Cancelling: at once where nothing can run, otherwise once the worker has confirmed.

use std::sync::Arc;

use openclaw_common::code::{ErrorCode, ReasonCode};
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Now;

use crate::arena::TaskKey;
use crate::attempt::Closing;
use crate::core::Core;
use crate::effect::{Effects, Refusal, TaskState};
use crate::ending::End;
use crate::model::{Principal, Role};
use crate::task::KillCause;

impl Core {
    pub(crate) fn cancel(
        &mut self,
        now: Now,
        principal: &Principal,
        task: TaskId,
        reason: Box<str>,
        fx: &mut Effects,
    ) -> Result<TaskState, Refusal> {
        let key = self.may_cancel(principal, task)?;
        let reason = if reason.is_empty() {
            format!("by {}", principal.user).into()
        } else {
            reason
        };
        Ok(self.cancel_task(now, key, reason, fx))
    }

    fn may_cancel(&self, principal: &Principal, task: TaskId) -> Result<TaskKey, Refusal> {
        let Some(key) = self.by_id.get(&task).copied() else {
            return Err(Refusal {
                code: ErrorCode::NotFound,
                detail: format!("no live task {task}"),
                index: None,
            });
        };
        let owner = self.users.get(self.tasks[key].user);
        if principal.role < Role::Submit
            || (principal.role < Role::Admin && **owner != principal.user)
        {
            return Err(Refusal {
                code: ErrorCode::PermissionDenied,
                detail: format!(
                    "{task} belongs to {owner}; only its owner or an admin may cancel it"
                ),
                index: None,
            });
        }
        Ok(key)
    }

    fn cancel_task(
        &mut self,
        now: Now,
        key: TaskKey,
        reason: Box<str>,
        fx: &mut Effects,
    ) -> TaskState {
        let task = &mut self.tasks[key];
        let id = task.id;
        let asked_before = task.cancel_requested();
        task.past_mut().cancel.get_or_insert_with(|| reason.clone());
        let at_worker = task
            .open
            .as_ref()
            .filter(|attempt| !attempt.orphan)
            .map(|attempt| attempt.node)
            .is_some_and(|node| self.nodes[node].session.is_some());
        if at_worker {
            if !asked_before {
                self.kill(key, KillCause::Cancel, fx);
                self.write_state(key, fx);
                self.notify(key, ReasonCode::Cancelling, fx);
            }
            return self.state_of(key);
        }
        let attempt = self.tasks[key].latest_number();
        let node = self.tasks[key]
            .open
            .as_ref()
            .map(|open| Arc::clone(&self.nodes[open.node].name));
        if self.tasks[key].open.is_some() {
            self.close_used_up(
                now,
                key,
                &Closing::untold(ReasonCode::Cancelled, "cancelled while its node was away"),
                fx,
            );
        }
        self.finish(
            now,
            key,
            End::new(TaskStatus::Cancelled, ReasonCode::Cancelled, &reason),
            fx,
        );
        TaskState {
            id,
            status: TaskStatus::Cancelled,
            code: ReasonCode::Cancelled,
            detail: reason.into(),
            attempt,
            node,
        }
    }
}
