//! The service itself, on a real port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openclaw_proto::v1;
use openclaw_proto::v1::cluster_service_server::{ClusterService, ClusterServiceServer};
use openclaw_proto::v1::run_task_response::Event;
use openclaw_runtime::tasks::TaskGroup;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::build::{ID, state};
use super::script::{Call, Script, Step};

type Stream<T> = ReceiverStream<Result<T, Status>>;

/// A running fake; it stops when told, or with the test.
pub(crate) struct Fake {
    pub(crate) addr: SocketAddr,
    pub(crate) script: Arc<Script>,
    group: TaskGroup,
}

#[derive(Clone)]
struct Service {
    script: Arc<Script>,
    group: TaskGroup,
}

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long it may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

impl Fake {
    pub(crate) async fn start(script: Script) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Arc::new(script)).await
    }

    /// Starts on a given port; waits until a former holder has let go of it.
    pub(crate) async fn start_at(addr: SocketAddr, script: Arc<Script>) -> Self {
        let bound = async {
            loop {
                match TcpListener::bind(addr).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        };
        let listener = tokio::time::timeout(PATIENCE, bound)
            .await
            .expect("the port is given back in time");
        let addr = listener.local_addr().unwrap();
        let group = TaskGroup::new();
        let service = Service {
            script: Arc::clone(&script),
            group: group.clone(),
        };
        let server = tonic::transport::Server::builder()
            .add_service(ClusterServiceServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        group.spawn("fake", server);
        Self {
            addr,
            script,
            group,
        }
    }

    pub(crate) fn home(&self) -> crate::program::Home {
        crate::program::Home::new(self.addr.to_string())
    }

    /// Cuts every connection, as a killed process would.
    pub(crate) async fn kill(self) -> (SocketAddr, Arc<Script>) {
        self.group.shutdown(Duration::ZERO).await;
        (self.addr, self.script)
    }

    /// Waits until a call was made that `wanted` accepts.
    pub(crate) async fn called(&self, wanted: impl Fn(&Call) -> bool) {
        let waiting = async {
            while !self.script.calls().iter().any(&wanted) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the call is made in time");
    }

    /// Waits until the command has heard that its task was accepted: it then notes it as the last one.
    pub(crate) async fn acceptance_reached(&self, home: &crate::program::Home) {
        let file = format!("home/last/localhost_{}", self.addr.port());
        let last = home.path().join(file);
        let waiting = async {
            while !last.exists() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the acceptance arrives in time");
    }
}

fn refusal(code: tonic::Code, reason: &str, message: &str, hint: &str) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, "openclaw.cluster", []);
    details.add_help_link(hint, "");
    Status::with_error_details(code, message, details)
}

impl Service {
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(token) = &self.script.token else {
            return Ok(());
        };
        let given = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if given == Some(&format!("Bearer {token}")) {
            return Ok(());
        }
        Err(refusal(
            tonic::Code::Unauthenticated,
            "UNAUTHENTICATED",
            "no such token",
            "send another",
        ))
    }

    fn play<T: Send + 'static>(
        &self,
        steps: Vec<Step>,
        answer: fn(Step) -> Option<T>,
    ) -> Response<Stream<T>> {
        let (send, receive) = mpsc::channel(16);
        self.group.spawn("play", async move {
            for step in steps {
                let message = match step {
                    Step::Break(status) => Err(status),
                    Step::Hang => {
                        send.closed().await;
                        return;
                    }
                    step => match answer(step) {
                        Some(message) => Ok(message),
                        None => continue,
                    },
                };
                if send.send(message).await.is_err() {
                    return;
                }
            }
        });
        Response::new(ReceiverStream::new(receive))
    }

    fn find(&self, id: &str) -> Result<v1::Task, Status> {
        let tasks = self.script.tasks.lock().unwrap();
        let found = tasks
            .iter()
            .find(|task| task.spec.as_ref().unwrap().task_id == id)
            .cloned();
        found.ok_or_else(|| {
            refusal(
                tonic::Code::NotFound,
                "NOT_FOUND",
                &format!("no task {id}"),
                "openclaw-cluster task list",
            )
        })
    }
}

#[tonic::async_trait]
impl ClusterService for Service {
    type RunTaskStream = Stream<v1::RunTaskResponse>;
    type WatchTasksStream = Stream<v1::WatchTasksResponse>;
    type GetTaskLogsStream = Stream<v1::GetTaskLogsResponse>;

    async fn submit_tasks(
        &self,
        request: Request<v1::SubmitTasksRequest>,
    ) -> Result<Response<v1::SubmitTasksResponse>, Status> {
        self.admit(&request)?;
        let spec = request.into_inner().tasks.remove(0);
        self.script.note(Call::Submit(Box::new(spec)));
        let status = v1::TaskStatus::Pending as i32;
        let accepted = v1::AcceptedTask {
            task_id: ID.to_owned(),
            status,
            existing: false,
        };
        Ok(Response::new(v1::SubmitTasksResponse {
            tasks: vec![accepted],
        }))
    }

    async fn run_task(
        &self,
        request: Request<v1::RunTaskRequest>,
    ) -> Result<Response<Self::RunTaskStream>, Status> {
        self.admit(&request)?;
        self.script
            .note(Call::Run(Box::new(request.into_inner().task.unwrap())));
        Ok(self.play(self.script.next_run(), |step| {
            let event = match step {
                Step::Accept(status) => Event::Accepted(v1::AcceptedTask {
                    task_id: ID.to_owned(),
                    status: status as i32,
                    existing: false,
                }),
                Step::State(state) => Event::State(state),
                Step::Task(task) => Event::Task(*task),
                _ => return None,
            };
            Some(v1::RunTaskResponse { event: Some(event) })
        }))
    }

    async fn get_task(
        &self,
        request: Request<v1::GetTaskRequest>,
    ) -> Result<Response<v1::GetTaskResponse>, Status> {
        self.admit(&request)?;
        let task = self.find(&request.into_inner().task_id)?;
        Ok(Response::new(v1::GetTaskResponse { task: Some(task) }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        self.admit(&request)?;
        let request = request.into_inner();
        let tasks = self.script.tasks.lock().unwrap();
        let wanted = |task: &&v1::Task| {
            let id = &task.spec.as_ref().unwrap().task_id;
            id.starts_with(&request.id_prefix)
                && (request.statuses.is_empty() || request.statuses.contains(&task.status))
        };
        // Two a page, to make paging real.
        let all: Vec<v1::Task> = tasks.iter().filter(wanted).cloned().collect();
        let from: usize = request.cursor.parse().unwrap_or_default();
        let page: Vec<v1::Task> = all.iter().skip(from).take(2).cloned().collect();
        let next = from + page.len();
        let next_cursor = if next < all.len() {
            next.to_string()
        } else {
            String::new()
        };
        drop(tasks);
        self.script.note(Call::List(request));
        Ok(Response::new(v1::ListTasksResponse {
            tasks: page,
            next_cursor,
        }))
    }

    async fn wait_task(
        &self,
        request: Request<v1::WaitTaskRequest>,
    ) -> Result<Response<v1::WaitTaskResponse>, Status> {
        self.admit(&request)?;
        let task = self.find(&request.into_inner().task_id)?;
        Ok(Response::new(v1::WaitTaskResponse {
            task: Some(task),
            r#final: true,
        }))
    }

    async fn watch_tasks(
        &self,
        request: Request<v1::WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        self.admit(&request)?;
        self.script.note(Call::Watch(request.into_inner().task_ids));
        Ok(self.play(self.script.next_watch(), |step| match step {
            Step::State(state) => Some(v1::WatchTasksResponse { state: Some(state) }),
            _ => None,
        }))
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Result<Response<v1::CancelTaskResponse>, Status> {
        self.admit(&request)?;
        let id = request.into_inner().task_id;
        self.script.note(Call::Cancel(id.clone()));
        let state = Some(state(
            &id,
            v1::TaskStatus::Cancelled,
            "CANCELLED",
            "somebody asked",
        ));
        Ok(Response::new(v1::CancelTaskResponse { state }))
    }

    async fn get_task_logs(
        &self,
        request: Request<v1::GetTaskLogsRequest>,
    ) -> Result<Response<Self::GetTaskLogsStream>, Status> {
        self.admit(&request)?;
        Ok(self.play(self.script.next_log(), |step| match step {
            Step::Log(piece) => Some(piece),
            _ => None,
        }))
    }

    async fn explain_task(
        &self,
        request: Request<v1::ExplainTaskRequest>,
    ) -> Result<Response<v1::ExplainTaskResponse>, Status> {
        self.admit(&request)?;
        Ok(Response::new(
            self.script.explained.clone().unwrap_or_default(),
        ))
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        self.admit(&request)?;
        Ok(Response::new(v1::ListNodesResponse {
            nodes: self.script.nodes.clone(),
        }))
    }

    async fn get_node(
        &self,
        request: Request<v1::GetNodeRequest>,
    ) -> Result<Response<v1::GetNodeResponse>, Status> {
        self.admit(&request)?;
        let name = request.into_inner().node_id;
        let node = self
            .script
            .nodes
            .iter()
            .find(|node| node.node_id == name)
            .cloned();
        let node = node.ok_or_else(|| {
            refusal(
                tonic::Code::NotFound,
                "NOT_FOUND",
                &format!("no node {name}"),
                "look",
            )
        })?;
        Ok(Response::new(v1::GetNodeResponse { node: Some(node) }))
    }

    async fn list_skills(
        &self,
        request: Request<v1::ListSkillsRequest>,
    ) -> Result<Response<v1::ListSkillsResponse>, Status> {
        self.admit(&request)?;
        Ok(Response::new(v1::ListSkillsResponse {
            skills: self.script.skills.clone(),
        }))
    }

    async fn get_cluster(
        &self,
        request: Request<v1::GetClusterRequest>,
    ) -> Result<Response<v1::GetClusterResponse>, Status> {
        self.admit(&request)?;
        Ok(Response::new(self.script.cluster.clone()))
    }
}
