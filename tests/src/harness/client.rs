//! The gRPC face as a program sees it.

use std::time::Duration;

use openclaw_proto::MAX_MESSAGE_BYTES;
use openclaw_proto::v1::cluster_service_client::ClusterServiceClient;
use openclaw_proto::v1::{
    AcceptedTask, CancelTaskRequest, GetNodeRequest, GetTaskRequest, ListNodesRequest,
    ListTasksRequest, Node, NodeStatus, RunTaskRequest, RunTaskResponse, SubmitTasksRequest, Task,
    TaskSpec, TaskState, TaskStatus, WaitTaskRequest,
};
use serde_json::Value;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use super::wait::{until, until_within};

/// How long one wait call waits before it is repeated.
const ONE_WAIT: Duration = Duration::from_secs(10);

/// A task for this skill, with these parameters (a JSON object).
pub fn spec(skill: &str, parameters: &Value) -> TaskSpec {
    TaskSpec {
        skill: skill.to_owned(),
        parameters: parameters.to_string(),
        ..TaskSpec::default()
    }
}

/// Parameters of the skill `append`: where it writes, how long it takes, how it exits, before which attempt it fails.
pub fn parameters(runs: &super::Runs, seconds: f64, exit: i32, fail_before: u32) -> Value {
    serde_json::json!({"file": runs.path(), "seconds": seconds.to_string(), "exit": exit, "fail_before": fail_before})
}

/// Sends the token with every call.
#[derive(Clone, Debug)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// One coordinator over gRPC; connects when first used, and again after it was away.
#[derive(Clone, Debug)]
pub struct Client {
    inner: ClusterServiceClient<InterceptedService<Channel, Bearer>>,
}

impl Client {
    /// For `host:port`, with or without a token.
    pub fn new(address: &str, token: Option<&str>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint
            .connect_timeout(Duration::from_secs(5))
            .tcp_nodelay(true)
            .connect_lazy();
        let bearer = token.map(|token| {
            format!("Bearer {token}")
                .parse()
                .expect("a token fits a header")
        });
        let inner = ClusterServiceClient::with_interceptor(channel, Bearer(bearer))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(4 * MAX_MESSAGE_BYTES);
        Self { inner }
    }

    /// Submits tasks, all or none.
    pub async fn submit(&self, tasks: Vec<TaskSpec>) -> Result<Vec<AcceptedTask>, Status> {
        let request = SubmitTasksRequest {
            tasks,
            idempotency_key: String::new(),
        };
        let response = self.inner.clone().submit_tasks(request).await?;
        Ok(response.into_inner().tasks)
    }

    /// Submits one task; the test fails when it is refused.
    pub async fn submit_one(&self, task: TaskSpec) -> String {
        let accepted = self.submit(vec![task]).await.expect("the task is accepted");
        accepted.into_iter().next().expect("one task").task_id
    }

    /// Submits one task and follows it.
    pub async fn run(&self, task: TaskSpec) -> Result<Streaming<RunTaskResponse>, Status> {
        let request = RunTaskRequest { task: Some(task) };
        Ok(self.inner.clone().run_task(request).await?.into_inner())
    }

    /// One task, without the content of its outputs.
    pub async fn get(&self, task_id: &str) -> Result<Task, Status> {
        let request = GetTaskRequest {
            task_id: task_id.to_owned(),
            with_outputs: false,
        };
        let response = self.inner.clone().get_task(request).await?;
        response
            .into_inner()
            .task
            .ok_or_else(|| Status::internal("an answer without a task"))
    }

    /// The task when it is final; the test fails when it isn't within `limit`. A coordinator that is away for a while
    /// is waited for.
    pub async fn wait(&self, task_id: &str, limit: Duration) -> Task {
        until_within(limit, &format!("the end of {task_id}"), async || {
            let request = WaitTaskRequest {
                task_id: task_id.to_owned(),
                timeout: prost_types::Duration::try_from(ONE_WAIT.min(limit)).ok(),
                with_outputs: true,
            };
            let response = match self.inner.clone().wait_task(request).await {
                Ok(response) => response.into_inner(),
                Err(status) if status.code() == tonic::Code::NotFound => {
                    panic!("{task_id} is lost: {status}")
                }
                Err(_) => return None,
            };
            response.task.filter(|_| response.r#final)
        })
        .await
    }

    /// The task once it runs; the test fails when it ends before or doesn't within 30 s.
    pub async fn running(&self, task_id: &str) -> Task {
        until(&format!("{task_id} to run"), async || {
            let task = self.get(task_id).await.ok()?;
            let status = task.status();
            let ended = matches!(
                status,
                TaskStatus::Completed
                    | TaskStatus::Failed
                    | TaskStatus::Cancelled
                    | TaskStatus::Timeout
            );
            assert!(!ended, "{task_id} has ended: {task:?}");
            (status == TaskStatus::Running).then_some(task)
        })
        .await
    }

    /// Asks for the end of a task.
    pub async fn cancel(&self, task_id: &str) -> Result<TaskState, Status> {
        let request = CancelTaskRequest {
            task_id: task_id.to_owned(),
            reason: String::new(),
        };
        let response = self.inner.clone().cancel_task(request).await?;
        response
            .into_inner()
            .state
            .ok_or_else(|| Status::internal("an answer without a state"))
    }

    /// Every task there is, by pages.
    pub async fn all(&self) -> Result<Vec<Task>, Status> {
        let mut tasks = Vec::new();
        let mut cursor = String::new();
        loop {
            let request = ListTasksRequest {
                limit: 1000,
                cursor,
                ..ListTasksRequest::default()
            };
            let page = self.inner.clone().list_tasks(request).await?.into_inner();
            tasks.extend(page.tasks);
            cursor = page.next_cursor;
            if cursor.is_empty() {
                return Ok(tasks);
            }
        }
    }

    /// All nodes.
    pub async fn nodes(&self) -> Result<Vec<Node>, Status> {
        let response = self
            .inner
            .clone()
            .list_nodes(ListNodesRequest::default())
            .await?;
        Ok(response.into_inner().nodes)
    }

    /// One node.
    pub async fn node(&self, node_id: &str) -> Result<Node, Status> {
        let request = GetNodeRequest {
            node_id: node_id.to_owned(),
        };
        let response = self.inner.clone().get_node(request).await?;
        response
            .into_inner()
            .node
            .ok_or_else(|| Status::internal("an answer without a node"))
    }

    /// Until a node is connected.
    pub async fn online(&self, node_id: &str) -> Node {
        until(&format!("node {node_id} to be online"), async || {
            let node = self.node(node_id).await.ok()?;
            matches!(node.status(), NodeStatus::Online | NodeStatus::Busy).then_some(node)
        })
        .await
    }
}
