//! The service for clients.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_core::effect::Refusal;
use openclaw_proto::v1;
use openclaw_proto::v1::cluster_service_server::ClusterService;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::convert::{self, words};
use super::lists::{filter, page_that_fits, without_schemas};
use super::{principal, reply, run_task, watch};
use crate::handle::{Handle, unknown};
use crate::shared::Phase;
use crate::task_logs::{self, LogQuery, TaskLogs};

/// How long `WaitTask` waits when nothing is said, and at most.
const WAIT: Duration = Duration::from_secs(30);
const WAIT_MOST: Duration = Duration::from_mins(5);

/// Serves clients.
#[derive(Debug, Clone)]
pub struct Clients {
    handle: Handle,
    logs: TaskLogs,
    cluster_name: Arc<str>,
    build: &'static str,
    stop: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;
type StreamOf<T> = BoxStream<'static, Result<T, Status>>;

impl Clients {
    /// `stop` ends streams when the server is to end.
    pub fn new(
        handle: Handle,
        logs: TaskLogs,
        cluster_name: &str,
        stop: CancellationToken,
    ) -> Self {
        Self {
            handle,
            logs,
            cluster_name: cluster_name.into(),
            build: env!("CARGO_PKG_VERSION"),
            stop,
        }
    }

    /// What was accepted, with the present state of what was known before.
    async fn accepted(
        &self,
        accepted: Vec<openclaw_core::effect::Accepted>,
    ) -> Result<Vec<v1::AcceptedTask>, Refusal> {
        let known: Vec<TaskId> = accepted
            .iter()
            .filter(|task| task.existing)
            .map(|task| task.id)
            .collect();
        let states = if known.is_empty() {
            Vec::new()
        } else {
            self.handle.states(known).await?
        };
        let mut states = states.into_iter();
        let entry = |task: openclaw_core::effect::Accepted| {
            let known = if task.existing {
                states.next().flatten()
            } else {
                None
            };
            let standing = known.map_or(v1::TaskStatus::Pending, |state| {
                words::task_status(state.status)
            });
            v1::AcceptedTask {
                task_id: task.id.to_string(),
                status: standing.into(),
                existing: task.existing,
            }
        };
        Ok(accepted.into_iter().map(entry).collect())
    }

    /// Ends a stream of answers, in a way that is not mistaken for its proper end, when the server is to end.
    fn until_stop<T: Send + 'static>(
        &self,
        answers: impl Stream<Item = Result<T, Status>> + Send + 'static,
    ) -> StreamOf<T> {
        let stop = self.stop.clone();
        let last = stream::once(async move {
            let text = "the coordinator is stopping; ask again when it is back";
            stop.is_cancelled().then(|| Err(Status::unavailable(text)))
        });
        answers
            .take_until(self.stop.clone().cancelled_owned())
            .chain(last.filter_map(std::future::ready))
            .boxed()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by `map_err` as it is")]
fn refused(refusal: Refusal) -> Status {
    reply::status(&refusal)
}

fn task_id(text: &str) -> Result<TaskId, Status> {
    text.parse()
        .map_err(|error| refused(convert::invalid("task_id", error)))
}

#[tonic::async_trait]
impl ClusterService for Clients {
    type RunTaskStream = StreamOf<v1::RunTaskResponse>;
    type WatchTasksStream = StreamOf<v1::WatchTasksResponse>;
    type GetTaskLogsStream = StreamOf<v1::GetTaskLogsResponse>;

    async fn submit_tasks(
        &self,
        request: Request<v1::SubmitTasksRequest>,
    ) -> Answer<v1::SubmitTasksResponse> {
        let principal = principal(&request)?;
        let request = request.into_inner();
        let tasks = self
            .handle
            .prepare(&principal, request.tasks, &request.idempotency_key)
            .map_err(refused)?;
        let accepted = self
            .handle
            .submit(principal, tasks)
            .await
            .map_err(refused)?;
        let tasks = self.accepted(accepted).await.map_err(refused)?;
        Ok(Response::new(v1::SubmitTasksResponse { tasks }))
    }

    async fn run_task(&self, request: Request<v1::RunTaskRequest>) -> Answer<Self::RunTaskStream> {
        let principal = principal(&request)?;
        let Some(spec) = request.into_inner().task else {
            return Err(refused(convert::invalid(
                "task",
                "the request holds no task",
            )));
        };
        let running = run_task::run(self.handle.clone(), principal, spec, self.stop.clone()).await;
        Ok(Response::new(running.map_err(refused)?))
    }

    async fn get_task(&self, request: Request<v1::GetTaskRequest>) -> Answer<v1::GetTaskResponse> {
        let request = request.into_inner();
        let record = self
            .handle
            .task(task_id(&request.task_id)?)
            .await
            .map_err(refused)?;
        let task = Some(convert::task_proto(&record, request.with_outputs));
        Ok(Response::new(v1::GetTaskResponse { task }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Answer<v1::ListTasksResponse> {
        let filter = filter(request.into_inner()).map_err(refused)?;
        let page = self.handle.page(filter).await.map_err(refused)?;
        Ok(Response::new(page_that_fits(&page)))
    }

    async fn wait_task(
        &self,
        request: Request<v1::WaitTaskRequest>,
    ) -> Answer<v1::WaitTaskResponse> {
        let request = request.into_inner();
        let asked = convert::span("timeout", request.timeout.as_ref()).map_err(refused)?;
        let patience = asked.map_or(WAIT, Duration::from_millis).min(WAIT_MOST);
        let task = task_id(&request.task_id)?;
        let waited = tokio::select! {
            waited = self.handle.wait_final(task, patience) => waited.map_err(refused)?,
            () = self.stop.cancelled() => return Err(Status::unavailable("the coordinator is stopping; ask again later")),
        };
        let (record, is_final) = waited;
        Ok(Response::new(v1::WaitTaskResponse {
            task: Some(convert::task_proto(&record, request.with_outputs)),
            r#final: is_final,
        }))
    }

    async fn watch_tasks(
        &self,
        request: Request<v1::WatchTasksRequest>,
    ) -> Answer<Self::WatchTasksStream> {
        let ids = request.into_inner().task_ids;
        if ids.is_empty() || ids.len() > self.handle.limits().tasks {
            let most = self.handle.limits().tasks;
            return Err(refused(convert::invalid(
                "task_ids",
                format!("name 1 to {most} tasks"),
            )));
        }
        let ids = ids
            .iter()
            .map(|id| task_id(id))
            .collect::<Result<Vec<_>, _>>()?;
        let changes = watch::watch(self.handle.clone(), ids);
        Ok(Response::new(self.until_stop(changes)))
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Answer<v1::CancelTaskResponse> {
        let principal = principal(&request)?;
        let request = request.into_inner();
        let task = task_id(&request.task_id)?;
        let state = self
            .handle
            .cancel(principal, task, &request.reason)
            .await
            .map_err(refused)?;
        let state = Some(convert::state_proto(&state));
        Ok(Response::new(v1::CancelTaskResponse { state }))
    }

    async fn get_task_logs(
        &self,
        request: Request<v1::GetTaskLogsRequest>,
    ) -> Answer<Self::GetTaskLogsStream> {
        let request = request.into_inner();
        let query = LogQuery {
            task: task_id(&request.task_id)?,
            attempt: request.attempt,
            stream: request.stream(),
            follow: request.follow,
        };
        let pieces = task_logs::stream(self.handle.clone(), self.logs.clone(), query)
            .await
            .map_err(refused)?;
        Ok(Response::new(self.until_stop(pieces.map_err(refused))))
    }

    async fn explain_task(
        &self,
        request: Request<v1::ExplainTaskRequest>,
    ) -> Answer<v1::ExplainTaskResponse> {
        let task = task_id(&request.into_inner().task_id)?;
        if let Some(explained) = self.handle.explain(task).await.map_err(refused)? {
            return Ok(Response::new(convert::explanation(
                &explained,
                self.handle.now(),
            )));
        }
        let state = self
            .handle
            .states(vec![task])
            .await
            .map_err(refused)?
            .into_iter()
            .next()
            .flatten();
        let state = state.ok_or_else(|| refused(unknown(task)))?;
        Ok(Response::new(v1::ExplainTaskResponse {
            state: Some(convert::state_proto(&state)),
            ..v1::ExplainTaskResponse::default()
        }))
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Answer<v1::ListNodesResponse> {
        let statuses = request.into_inner().statuses;
        let view = self.handle.view();
        let nodes = view.nodes_proto();
        let wanted = |node: &&v1::Node| {
            statuses.is_empty() || statuses.contains(&0) || statuses.contains(&node.status)
        };
        Ok(Response::new(v1::ListNodesResponse {
            nodes: nodes.iter().filter(wanted).map(without_schemas).collect(),
        }))
    }

    async fn get_node(&self, request: Request<v1::GetNodeRequest>) -> Answer<v1::GetNodeResponse> {
        let name = request.into_inner().node_id;
        let view = self.handle.view();
        let node = view
            .nodes_proto()
            .iter()
            .find(|node| node.node_id == name)
            .cloned();
        let Some(node) = node else {
            let shown: String = name.chars().take(80).collect();
            let detail = format!(
                "node_id: no node `{shown}` is known; openclaw-cluster node list shows all"
            );
            return Err(refused(reply::refusal(ErrorCode::NotFound, detail)));
        };
        Ok(Response::new(v1::GetNodeResponse { node: Some(node) }))
    }

    async fn list_skills(
        &self,
        _: Request<v1::ListSkillsRequest>,
    ) -> Answer<v1::ListSkillsResponse> {
        let skills = convert::cluster_skills(&self.handle.view().view);
        Ok(Response::new(v1::ListSkillsResponse { skills }))
    }

    async fn get_cluster(
        &self,
        _: Request<v1::GetClusterRequest>,
    ) -> Answer<v1::GetClusterResponse> {
        let published = self.handle.view();
        let view = &published.view;
        let (by_status, total_slots, used_slots) = convert::node_counts(view);
        let phase = self.handle.health().phase;
        let trouble = match &phase {
            Phase::Failed(refusal) if view.epoch == 0 => return Err(reply::status(refusal)),
            Phase::Failed(refusal) => refusal.detail.clone(),
            Phase::Opening | Phase::Ready(_) | Phase::Stopping => String::new(),
        };
        let mut cluster = v1::GetClusterResponse {
            trouble,
            cluster_id: view.cluster_id.to_string(),
            name: self.cluster_name.to_string(),
            version: self.build.to_owned(),
            epoch: view.epoch,
            pending: view.pending,
            scheduled: view.scheduled,
            running: view.running,
            nodes_by_status: by_status
                .into_iter()
                .map(|(status, count)| (status.to_owned(), count))
                .collect(),
            total_slots,
            used_slots,
            ..v1::GetClusterResponse::default()
        };
        if let Phase::Ready(run) = phase {
            cluster.started_at = Some(convert::timestamp(run.since));
            run.engine.clone_into(&mut cluster.store);
        }
        Ok(Response::new(cluster))
    }
}
