//! `RunTask`: submit one task and follow it to its end, with as few steps in between as there can be.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::effect::{Accepted, Refusal, TaskState};
use openclaw_core::model::Principal;
use openclaw_core::record::{FinalRow, SubmitRow};
use openclaw_proto::v1;
use openclaw_proto::v1::run_task_response::Event;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::convert;
use crate::driver::PublishedView;
use crate::events::{Change, Followed, Following};
use crate::handle::Handle;
use crate::reply;
use crate::task_record::{Standing, TaskRecord};

/// How often a waiting task is looked at again when nodes change.
const REASON_EVERY: Duration = Duration::from_secs(1);

/// One task that is followed.
pub(super) struct Running {
    handle: Handle,
    following: Following,
    accepted: Accepted,
    /// The task as it was accepted, unless it was known before.
    submit: Option<SubmitRow>,
    stop: CancellationToken,
    views: watch::Receiver<Arc<PublishedView>>,
    /// The last state told.
    told: Option<v1::TaskState>,
    next: Next,
}

enum Next {
    Accepted,
    State,
    Change,
    Nothing,
}

/// Submits; the answer is made step by step as the stream is read.
pub(super) async fn run(
    handle: Handle,
    principal: Principal,
    spec: v1::TaskSpec,
    stop: CancellationToken,
) -> Result<BoxStream<'static, Result<v1::RunTaskResponse, Status>>, Refusal> {
    let mut tasks = handle
        .prepare(&principal, vec![spec], "")
        .map_err(|refused| Refusal {
            index: None,
            ..refused
        })?;
    // One task goes in and one comes out; the default can't happen.
    let task = tasks.first().cloned();
    let id = task.as_ref().map(|task| task.id).unwrap_or_default();
    // Followed before it is submitted, so that nothing is missed.
    let mut following = handle.follow(vec![id]);
    let at = handle.now().wall;
    let accepted = handle.submit(principal, std::mem::take(&mut tasks)).await?;
    let accepted = accepted
        .first()
        .copied()
        .unwrap_or(Accepted { id, existing: true });
    let submit = task.filter(|_| !accepted.existing).map(|task| SubmitRow {
        seq: 0,
        at,
        task,
        lineage: None,
    });
    if accepted.id != id {
        following = handle.follow(vec![accepted.id]);
    }
    let running = Running {
        views: handle.view_changes(),
        handle,
        following,
        accepted,
        submit,
        stop,
        told: None,
        next: Next::Accepted,
    };
    let answers = stream::unfold(running, |mut running| async move {
        let answer = running.step().await?;
        Some((answer, running))
    });
    Ok(answers.boxed())
}

impl Running {
    async fn step(&mut self) -> Option<Result<v1::RunTaskResponse, Status>> {
        let event = match self.next {
            Next::Accepted => self.accepted().await,
            Next::State | Next::Change => self.change().await,
            Next::Nothing => return None,
        };
        match event {
            Ok(event) => Some(Ok(v1::RunTaskResponse { event: Some(event) })),
            Err(status) => {
                self.next = Next::Nothing;
                Some(Err(status))
            }
        }
    }

    async fn accepted(&mut self) -> Result<Event, Status> {
        let mut status = v1::TaskStatus::Pending;
        self.next = Next::Change;
        if self.accepted.existing {
            if let Some(state) = self.state().await? {
                status = convert::words::task_status(state.status);
            }
            self.next = Next::State;
        }
        Ok(Event::Accepted(v1::AcceptedTask {
            task_id: self.accepted.id.to_string(),
            status: status.into(),
            existing: self.accepted.existing,
        }))
    }

    async fn change(&mut self) -> Result<Event, Status> {
        loop {
            if matches!(self.next, Next::State) {
                self.next = Next::Change;
                if let Some(event) = self.anew().await? {
                    return Ok(event);
                }
            }
            let waits = self.waits();
            let followed = tokio::select! {
                biased;
                followed = self.following.latest() => followed,
                () = self.stop.cancelled() => return Err(stopping(self.accepted.id)),
                () = reason_may_change(&mut self.views), if waits => {
                    self.next = Next::State;
                    continue;
                }
            };
            match followed {
                Followed::Change(change) if change.notice.status.is_final() => {
                    return self.end(change).await;
                }
                // Only the core knows the sentence that says why a task waits.
                Followed::Change(change) if change.notice.status == TaskStatus::Pending => {
                    self.next = Next::State;
                }
                Followed::Change(change) => {
                    if let Some(event) = self.tell(convert::notice_state(&change.notice)) {
                        return Ok(event);
                    }
                }
                Followed::Gap => self.next = Next::State,
                Followed::Over => {
                    self.following = self.handle.follow(vec![self.accepted.id]);
                    self.next = Next::State;
                }
            }
        }
    }

    /// The last thing told is that the task waits.
    fn waits(&self) -> bool {
        let told = self.told.as_ref();
        told.is_some_and(|state| state.status() == v1::TaskStatus::Pending)
    }

    async fn state(&self) -> Result<Option<TaskState>, Status> {
        let states = self.handle.states(vec![self.accepted.id]).await;
        let mut states = states.map_err(|refusal| reply::status(&refusal))?;
        Ok(states.pop().flatten())
    }

    /// The state as it is now, unless it was told already.
    async fn anew(&mut self) -> Result<Option<Event>, Status> {
        let Some(state) = self.state().await? else {
            return Err(reply::status(&crate::handle::unknown(self.accepted.id)));
        };
        if state.status.is_final() {
            return self.read_end().await.map(Some);
        }
        Ok(self.tell(convert::state_proto(&state)))
    }

    fn tell(&mut self, state: v1::TaskState) -> Option<Event> {
        if self.told.as_ref() == Some(&state) {
            return None;
        }
        self.told = Some(state.clone());
        Some(Event::State(state))
    }

    /// The end, from the change itself when it is at hand: no read of the store then.
    async fn end(&mut self, change: Change) -> Result<Event, Status> {
        match (self.submit.take(), change.end) {
            (Some(submit), Some(end)) => Ok(self.finished(submit, end)),
            _ => self.read_end().await,
        }
    }

    async fn read_end(&mut self) -> Result<Event, Status> {
        let record = self
            .handle
            .task(self.accepted.id)
            .await
            .map_err(|refusal| reply::status(&refusal))?;
        self.next = Next::Nothing;
        Ok(Event::Task(convert::task_proto(&record, true)))
    }

    fn finished(&mut self, submit: SubmitRow, end: Arc<FinalRow>) -> Event {
        self.next = Next::Nothing;
        let record = TaskRecord {
            submit: Arc::new(submit),
            standing: Standing::Final(end),
        };
        Event::Task(convert::task_proto(&record, true))
    }
}

/// Completes when nodes have changed, at most once in a while: what holds a task back may be something else now.
async fn reason_may_change(views: &mut watch::Receiver<Arc<PublishedView>>) {
    sleep(REASON_EVERY).await;
    if views.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn stopping(task: TaskId) -> Status {
    Status::unavailable(format!(
        "the coordinator is stopping; {task} stays, ask for it when the coordinator is back"
    ))
}
