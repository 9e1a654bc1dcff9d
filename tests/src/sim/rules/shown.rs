//! Rules of what is shown: answers to clients, and the view.

use openclaw_common::id::TaskId;
use openclaw_common::status::{NodeStatus, TaskStatus};
use openclaw_common::time::Now;
use openclaw_core::effect::Reply;

use super::super::client::Waiter;
use super::super::verdict::{Checked, broken};
use super::super::world::World;

impl World {
    /// What the core shows of nodes and counts is true.
    pub(crate) fn check_view(&mut self, now: Now) -> Checked {
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        let view = run.core.view(now);
        let live = run.core.live_tasks();
        let counted = view.pending + view.scheduled + view.running;
        if u64::try_from(live).ok() != Some(counted) {
            return broken(
                "view",
                format!("{live} tasks are live, {counted} are shown"),
            );
        }
        for node in &view.nodes {
            let connected = self.truth.is_connected(&node.name);
            if connected == (node.status == NodeStatus::Offline) {
                return broken(
                    "view",
                    format!(
                        "{} is shown as {}, but connected: {connected}",
                        node.name, node.status
                    ),
                );
            }
        }
        Ok(())
    }

    /// The core's answer reaches a client.
    pub(crate) fn truth_answers(&mut self, waiter: Waiter, reply: Reply) -> Checked {
        match (waiter, reply) {
            (Waiter::Submit(index), Reply::Submitted(outcome)) => self.submitted(index, outcome),
            (Waiter::Cancel(task), Reply::Cancelled(outcome)) => {
                self.cancel_answered(task, outcome)
            }
            (Waiter::Ask(task), Reply::Task(None)) => self.truth_is_final(task),
            (Waiter::Ask(_), Reply::Task(Some(live))) if live.state.status.is_final() => broken(
                "final",
                format!("{} is live and {}", live.state.id, live.state.status),
            ),
            (Waiter::Ask(_), Reply::Task(Some(_))) => Ok(()),
            (waiter, reply) => broken("driver", format!("{waiter:?} was answered with {reply:?}")),
        }
    }

    /// A task that is no longer live has an end that can be read.
    pub(crate) fn truth_is_final(&self, task: TaskId) -> Checked {
        let known = self.truth.tasks.get(&task);
        let recorded = known.is_some_and(|known| known.recorded.is_some());
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        match run.reader.finished(task) {
            Ok(Some(_)) if recorded => Ok(()),
            Ok(_) => broken("durable", format!("{task} is not live and has no end")),
            Err(error) => broken("store", error.to_string()),
        }
    }

    /// A client is told what became of its wish to cancel.
    pub(crate) fn truth_cancelled(&mut self, task: TaskId, status: TaskStatus) -> Checked {
        if status.is_final() {
            return self.truth_is_final(task);
        }
        let now = self.now;
        if let Some(known) = self.truth.tasks.get_mut(&task) {
            known.cancelling.get_or_insert(now);
        }
        Ok(())
    }
}
