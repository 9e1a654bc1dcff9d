//! One task: from the core while it is live, from the store once it is final.

use std::sync::Arc;
use std::time::Duration;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_core::effect::{Refusal, Reply, TaskState};
use openclaw_core::event::Query;
use openclaw_core::record::FinalRow;
use openclaw_core::view::LiveTask;
use tokio::time::{Instant, timeout_at};

use super::admit::{Handle, mixed_up, next_change};
use crate::events::{Followed, Following};
use crate::reply::refusal;
use crate::task_record::{Standing, TaskRecord};

impl Handle {
    /// A task, live or final. `NotFound` when there is none of this id.
    pub async fn task(&self, task: TaskId) -> Result<TaskRecord, Refusal> {
        let live = match self.query(Query::Task(task)).await? {
            Reply::Task(live) => live,
            other => return Err(mixed_up(&other)),
        };
        self.record(task, live).await
    }

    /// Waits until a task is final or the time is up: the task as it stands then, and whether it is final.
    pub async fn wait_final(
        &self,
        task: TaskId,
        patience: Duration,
    ) -> Result<(TaskRecord, bool), Refusal> {
        let deadline = Instant::now() + patience;
        loop {
            let mut following = self.follow(vec![task]);
            let record = self.task(task).await?;
            if record.is_final()
                || timeout_at(deadline, until_final(&mut following))
                    .await
                    .is_err()
            {
                return self.latest(record).await;
            }
        }
    }

    /// Where tasks stand, in the order asked for; `None` for an unknown one.
    pub async fn states(&self, tasks: Vec<TaskId>) -> Result<Vec<Option<TaskState>>, Refusal> {
        let live = match self.query(Query::Tasks(tasks.clone())).await? {
            Reply::Tasks(live) => live,
            other => return Err(mixed_up(&other)),
        };
        let ended: Vec<TaskId> = tasks
            .iter()
            .zip(&live)
            .filter(|(_, live)| live.is_none())
            .map(|(id, _)| *id)
            .collect();
        let mut ends = if ended.is_empty() {
            Vec::new()
        } else {
            self.read(move |reader| {
                ended
                    .into_iter()
                    .map(|task| reader.finished(task))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?
        }
        .into_iter();
        let state = |live: Option<LiveTask>| match live {
            Some(live) => Some(live.state),
            None => ends.next().flatten().map(|end| end_state(&end)),
        };
        Ok(live.into_iter().map(state).collect())
    }

    /// The end of a task as the store has it.
    pub(crate) async fn finished(&self, task: TaskId) -> Result<Option<FinalRow>, Refusal> {
        self.read(move |reader| reader.finished(task)).await
    }

    /// Where a final task stands.
    pub(super) async fn final_state(&self, task: TaskId) -> Result<TaskState, Refusal> {
        let end = self.finished(task).await?.ok_or_else(|| unknown(task))?;
        Ok(end_state(&end))
    }

    async fn record(
        &self,
        task: TaskId,
        live: Option<Box<LiveTask>>,
    ) -> Result<TaskRecord, Refusal> {
        let is_live = live.is_some();
        let (submit, end) = self
            .read(move |reader| {
                let end = if is_live {
                    None
                } else {
                    reader.finished(task)?
                };
                Ok((reader.submit(task)?, end))
            })
            .await?;
        let standing = match (live, end) {
            (Some(live), _) => Standing::Live(live),
            (None, Some(end)) => Standing::Final(Arc::new(end)),
            (None, None) => return Err(unknown(task)),
        };
        Ok(TaskRecord {
            submit: Arc::new(submit.ok_or_else(|| unknown(task))?),
            standing,
        })
    }

    /// The record again unless it is final already: it may have gone on since it was read.
    async fn latest(&self, record: TaskRecord) -> Result<(TaskRecord, bool), Refusal> {
        if record.is_final() {
            return Ok((record, true));
        }
        let record = self.task(record.id()).await?;
        let is_final = record.is_final();
        Ok((record, is_final))
    }
}

/// Completes when the task may be final: it is then read anew.
async fn until_final(following: &mut Following) {
    loop {
        match next_change(following).await {
            Some(Followed::Change(change)) if !change.notice.status.is_final() => {}
            // A new run of the core takes a moment; the next read waits for it or is refused.
            None | Some(_) => return,
        }
    }
}

/// Where a final task stands, in short.
pub(crate) fn end_state(end: &FinalRow) -> TaskState {
    let last = end.attempts.last();
    TaskState {
        id: end.id,
        status: end.status,
        code: end.code,
        detail: end.detail.to_string(),
        attempt: last.map_or(0, |attempt| attempt.number),
        node: last.map(|attempt| Arc::clone(&attempt.node)),
    }
}

/// There is no such task.
pub(crate) fn unknown(task: TaskId) -> Refusal {
    refusal(
        ErrorCode::NotFound,
        format!("there is no task {task}; it was never accepted here, or its record has expired"),
    )
}
