//! One task from its submit to its end, over as many connections as that takes.

use std::time::Duration;

use openclaw_common::status::{TaskStatus, TaskType};
use openclaw_proto::v1;
use openclaw_proto::v1::run_task_response::Event;
use tonic::Status;

use super::placeable::{is_unplaceable, summary};
use crate::commands::session::Session;
use crate::dto;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Reattach, Stop, Watcher, follow};

/// How it ended.
pub(super) enum Driven {
    /// The task is final.
    Final(Box<v1::Task>),
    /// It is a daemon, and it runs.
    DaemonStarted,
}

/// How one stream ended.
enum Streamed {
    Done(Driven),
    Broken(Status),
}

/// A run under way.
pub(super) struct Run<'a> {
    session: &'a Session,
    watcher: Watcher,
    reattach: Reattach,
    known: Option<v1::TaskState>,
    fail_if_unplaceable: bool,
    daemon: bool,
}

impl<'a> Run<'a> {
    /// Begins to listen to Ctrl-C; the time to wait counts from now.
    pub(super) fn new(
        session: &'a Session,
        wait: Option<Duration>,
        fail_if_unplaceable: bool,
    ) -> Result<Self, Failure> {
        let watcher = Watcher::new(&session.printer, wait)?;
        Ok(Self {
            session,
            watcher,
            reattach: Reattach::default(),
            known: None,
            fail_if_unplaceable,
            daemon: false,
        })
    }

    /// Where the task stood when it was last heard of; `None` before it was accepted.
    pub(super) const fn known(&self) -> Option<&v1::TaskState> {
        self.known.as_ref()
    }

    /// Submits the task and follows it to its end. Sending the request again is harmless: it has a key.
    pub(super) async fn drive(&mut self, request: v1::RunTaskRequest) -> Result<Driven, Stop> {
        self.daemon = request
            .task
            .as_ref()
            .is_some_and(|spec| dto::task_type_of(spec.task_type) == TaskType::Daemon);
        loop {
            let status = match self.stream(&request).await? {
                Streamed::Done(driven) => return Ok(driven),
                Streamed::Broken(status) => status,
            };
            let what = self
                .known
                .as_ref()
                .map_or("the task", |state| state.task_id.as_str())
                .to_owned();
            self.reattach
                .pause(&mut self.watcher, &self.session.client, status, &what)
                .await?;
            if let Some(state) = &self.known {
                return self.by_id(state.task_id.clone()).await;
            }
        }
    }

    async fn stream(&mut self, request: &v1::RunTaskRequest) -> Result<Streamed, Stop> {
        let mut stream = match self
            .watcher
            .until(self.session.client.try_run_task(request))
            .await?
        {
            Ok(stream) => stream,
            Err(status) => return Ok(Streamed::Broken(status)),
        };
        loop {
            let message = match self.watcher.until(stream.message()).await? {
                Ok(Some(message)) => message,
                Ok(None) => {
                    return Ok(Streamed::Broken(Status::unavailable(
                        "the coordinator closed the stream",
                    )));
                }
                Err(status) => return Ok(Streamed::Broken(status)),
            };
            self.reattach.contact();
            match message.event {
                Some(Event::Accepted(accepted)) => self.accepted(&accepted).await?,
                Some(Event::State(state)) if self.saw(&state) => {
                    return Ok(Streamed::Done(Driven::DaemonStarted));
                }
                Some(Event::Task(task)) => {
                    return Ok(Streamed::Done(Driven::Final(Box::new(task))));
                }
                // A state that was taken in, or an event of a later version.
                Some(Event::State(_)) | None => {}
            }
        }
    }

    /// Takes in that the task is durable.
    async fn accepted(&mut self, accepted: &v1::AcceptedTask) -> Result<(), Stop> {
        self.session.last.remember(&accepted.task_id);
        self.known = Some(v1::TaskState {
            task_id: accepted.task_id.clone(),
            status: accepted.status,
            ..v1::TaskState::default()
        });
        if accepted.existing {
            self.watcher.say(&format!(
                "{} was submitted before under this key; watching it",
                accepted.task_id
            ));
        }
        let pending = dto::task_status(accepted.status) == Some(TaskStatus::Pending);
        if self.fail_if_unplaceable && pending {
            self.refuse_unplaceable(&accepted.task_id).await?;
        }
        Ok(())
    }

    /// Takes in a state; whether there is nothing more to wait for.
    fn saw(&mut self, state: &v1::TaskState) -> bool {
        self.watcher.state(state);
        let running = dto::task_status(state.status) == Some(TaskStatus::Running);
        self.known = Some(state.clone());
        self.daemon && running
    }

    /// Cancels a task that no node can take, and says why.
    async fn refuse_unplaceable(&mut self, task_id: &str) -> Result<(), Stop> {
        let client = &self.session.client;
        let request = v1::ExplainTaskRequest {
            task_id: task_id.to_owned(),
        };
        let explained = self.watcher.until(client.explain_task(request)).await??;
        if !is_unplaceable(&explained) {
            return Ok(());
        }
        let reason = "no connected node can run it (--fail-if-unplaceable)".to_owned();
        let cancel = v1::CancelTaskRequest {
            task_id: task_id.to_owned(),
            reason,
        };
        let cancelled = self.watcher.until(client.cancel_task(cancel)).await??;
        if cancelled
            .state
            .and_then(|state| dto::task_status(state.status))
            != Some(TaskStatus::Cancelled)
        {
            // A node took it meanwhile; its end comes through the stream.
            self.fail_if_unplaceable = false;
            return Ok(());
        }
        let message = format!(
            "{task_id} cannot be placed and was cancelled: {}",
            summary(&explained)
        );
        Err(Stop::Failed(
            Failure::new(Exit::Unplaceable, "UNPLACEABLE", message).hint(format!(
                "openclaw-cluster task explain {task_id} · openclaw-cluster skill list"
            )),
        ))
    }

    /// Follows the accepted task by its id after the first stream broke.
    async fn by_id(&mut self, task_id: String) -> Result<Driven, Stop> {
        if self.daemon {
            return self.daemon_by_id(&task_id).await;
        }
        let Self {
            session,
            watcher,
            reattach,
            known,
            ..
        } = self;
        follow(
            &session.client,
            watcher,
            reattach,
            vec![task_id.clone()],
            |state| *known = Some(state.clone()),
        )
        .await?;
        loop {
            let request = v1::GetTaskRequest {
                task_id: task_id.clone(),
                with_outputs: true,
            };
            match watcher.until(session.client.try_get_task(&request)).await? {
                Ok(answer) => {
                    let task = answer
                        .task
                        .ok_or_else(|| crate::client::empty_answer(&task_id))?;
                    return Ok(Driven::Final(Box::new(task)));
                }
                Err(status) => {
                    reattach
                        .pause(watcher, &session.client, status, &task_id)
                        .await?;
                }
            }
        }
    }

    /// A daemon need only be seen running.
    async fn daemon_by_id(&mut self, task_id: &str) -> Result<Driven, Stop> {
        loop {
            let asked = self
                .session
                .client
                .try_wait_task(task_id, Duration::from_secs(1));
            match self.watcher.until(asked).await? {
                Ok(answer) => {
                    self.reattach.contact();
                    let task = answer.task.unwrap_or_default();
                    if answer.r#final {
                        return Ok(Driven::Final(Box::new(task)));
                    }
                    let state = v1::TaskState {
                        task_id: task_id.to_owned(),
                        status: task.status,
                        reason: task.reason,
                        attempt: task.attempt,
                        assigned_node: task.assigned_node,
                    };
                    if self.saw(&state) {
                        return Ok(Driven::DaemonStarted);
                    }
                }
                Err(status) => {
                    self.reattach
                        .pause(&mut self.watcher, &self.session.client, status, task_id)
                        .await?;
                }
            }
        }
    }
}
