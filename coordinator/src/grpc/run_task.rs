//! `RunTask`: submit one task and follow it to its end, with as few steps in between as there can be.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use openclaw_common::id::TaskId;
use openclaw_core::effect::{Accepted, Refusal, TaskState};
use openclaw_core::model::Principal;
use openclaw_core::record::{FinalRow, SubmitRow};
use openclaw_proto::v1;
use openclaw_proto::v1::run_task_response::Event;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::convert;
use crate::events::{Change, Followed, Following};
use crate::handle::Handle;
use crate::reply;
use crate::task_record::{Standing, TaskRecord};

/// One task that is followed.
pub(super) struct Running {
    handle: Handle,
    following: Following,
    accepted: Accepted,
    /// The task as it was accepted, unless it was known before.
    submit: Option<SubmitRow>,
    stop: CancellationToken,
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
    let submit = task
        .filter(|_| !accepted.existing)
        .map(|task| SubmitRow { seq: 0, at, task });
    if accepted.id != id {
        following = handle.follow(vec![accepted.id]);
    }
    let running = Running {
        handle,
        following,
        accepted,
        submit,
        stop,
        told: None,
        next: Next::Accepted,
    };
    let steps = stream::unfold(running, |mut running| async move {
        let step = running.step().await?;
        Some((step, running))
    });
    Ok(steps.boxed())
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
            let states = self
                .handle
                .states(vec![self.accepted.id])
                .await
                .map_err(|refusal| reply::status(&refusal))?;
            if let Some(Some(state)) = states.first() {
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
            let followed = tokio::select! {
                followed = self.following.next() => followed,
                () = self.stop.cancelled() => return Err(stopping(self.accepted.id)),
            };
            match followed {
                Followed::Change(change) if change.notice.status.is_final() => {
                    return self.end(change).await;
                }
                // Only the core knows the sentence that goes with a waiting reason.
                Followed::Change(change) if self.is_news(&change) => self.next = Next::State,
                Followed::Change(_) => {}
                Followed::Gap => self.next = Next::State,
                Followed::Over => {
                    self.following = self.handle.follow(vec![self.accepted.id]);
                    self.next = Next::State;
                }
            }
        }
    }

    fn is_news(&self, change: &Change) -> bool {
        let now = convert::notice_state(&change.notice);
        self.told.as_ref().is_none_or(|told| {
            told.status != now.status
                || told.attempt != now.attempt
                || told.reason.as_ref().map(|reason| &reason.code)
                    != now.reason.as_ref().map(|reason| &reason.code)
        })
    }

    /// The state as it is now, unless it was told already.
    async fn anew(&mut self) -> Result<Option<Event>, Status> {
        let states = self
            .handle
            .states(vec![self.accepted.id])
            .await
            .map_err(|refusal| reply::status(&refusal))?;
        let Some(state) = states.into_iter().next().flatten() else {
            return Err(reply::status(&crate::handle::unknown(self.accepted.id)));
        };
        if state.status.is_final() {
            return self.read_end().await.map(Some);
        }
        Ok(self.tell(&state))
    }

    fn tell(&mut self, state: &TaskState) -> Option<Event> {
        let state = convert::state_proto(state);
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

fn stopping(task: TaskId) -> Status {
    Status::unavailable(format!(
        "the coordinator is stopping; {task} stays, ask for it when the coordinator is back"
    ))
}
