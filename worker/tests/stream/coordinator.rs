//! A coordinator without a mind: it hands each stream to the test.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openclaw_common::id::{ClusterId, TaskId};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Said;
use openclaw_proto::v1::connect_response::Message as Say;
use openclaw_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use openclaw_runtime::tasks::TaskGroup;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

pub(crate) const TOKEN: &str = "oc_admin_test_token";
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A server on a port of its own.
pub(crate) struct Coordinator {
    pub(crate) address: SocketAddr,
    streams: mpsc::Receiver<Session>,
    pushes: mpsc::Receiver<Push>,
    refusal: Arc<Mutex<Option<Status>>>,
    tasks: TaskGroup,
}

/// One control stream.
pub(crate) struct Session {
    pub(crate) hello: v1::Hello,
    pub(crate) peer: SocketAddr,
    said: Streaming<v1::ConnectRequest>,
    say: mpsc::Sender<Result<v1::ConnectResponse, Status>>,
    batches: u64,
}

/// One message of a stream of output.
pub(crate) struct Push {
    pub(crate) peer: SocketAddr,
    pub(crate) request: v1::PushLogsRequest,
}

#[derive(Clone)]
struct Service {
    streams: mpsc::Sender<Session>,
    output: mpsc::Sender<Push>,
    refusal: Arc<Mutex<Option<Status>>>,
    tasks: TaskGroup,
}

impl Coordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (streams, incoming) = mpsc::channel(16);
        let (output, pushes) = mpsc::channel(1_024);
        let (refusal, tasks) = (Arc::new(Mutex::new(None)), TaskGroup::new());
        let service = Service {
            streams,
            output,
            refusal: Arc::clone(&refusal),
            tasks: tasks.clone(),
        };
        let server = tonic::transport::Server::builder()
            .add_service(
                WorkerServiceServer::new(service)
                    .max_decoding_message_size(openclaw_proto::MAX_MESSAGE_BYTES),
            )
            .serve_with_incoming(TcpListenerStream::new(listener));
        tasks.spawn("server", server);
        Self {
            address,
            streams: incoming,
            pushes,
            refusal,
            tasks,
        }
    }

    /// From now on every stream is refused so.
    pub(crate) fn refuse(&self, status: Status) {
        *self.refusal.lock().unwrap() = Some(status);
    }

    /// The next stream, its Hello read.
    pub(crate) async fn session(&mut self) -> Session {
        tokio::time::timeout(PATIENCE, self.streams.recv())
            .await
            .expect("no stream in time")
            .unwrap()
    }

    /// The next stream, welcomed.
    pub(crate) async fn welcomed(&mut self) -> Session {
        let mut session = self.session().await;
        session.welcome(welcome()).await;
        session
    }

    pub(crate) async fn push(&mut self) -> Push {
        tokio::time::timeout(PATIENCE, self.pushes.recv())
            .await
            .expect("no output in time")
            .unwrap()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

pub(crate) fn welcome() -> v1::Welcome {
    v1::Welcome {
        protocol: 1,
        session_id: 1,
        cluster_id: ClusterId(7).to_string(),
        epoch: 5,
        node_id: "tester".to_owned(),
        heartbeat_interval_ms: 200,
        suspect_after_ms: 10_000,
        lease_ms: 30_000,
        reconnect_spread_ms: 10,
        desired_state: Some(v1::DesiredState {
            generation: 1,
            accept: true,
            drain_deadline_ms: 0,
        }),
        build: "test".to_owned(),
        cluster_name: "home".to_owned(),
        ..v1::Welcome::default()
    }
}

pub(crate) fn lease(counter: u64) -> v1::Lease {
    v1::Lease { epoch: 5, counter }
}

pub(crate) fn verdict(counter: u64, action: v1::VerdictAction) -> v1::Verdict {
    v1::Verdict {
        lease: Some(lease(counter)),
        action: action.into(),
        forget: false,
    }
}

pub(crate) fn task(counter: u64, skill: &str, parameters: &str) -> (u64, v1::TaskSpec) {
    let spec = v1::TaskSpec {
        task_id: TaskId(u128::from(counter)).to_string(),
        skill: skill.to_owned(),
        parameters: parameters.to_owned(),
        ..v1::TaskSpec::default()
    };
    (counter, spec)
}

pub(crate) fn command(counter: u64, words: &[&str]) -> (u64, v1::TaskSpec) {
    let (_, spec) = task(counter, "", "{}");
    (
        counter,
        v1::TaskSpec {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            ..spec
        },
    )
}

impl Session {
    pub(crate) async fn welcome(&mut self, welcome: v1::Welcome) {
        self.say(Say::Welcome(welcome)).await;
    }

    pub(crate) async fn say(&mut self, message: Say) {
        self.say
            .send(Ok(v1::ConnectResponse {
                message: Some(message),
            }))
            .await
            .expect("the worker is gone");
    }

    /// Ends the stream with a status.
    pub(crate) async fn fail(self, status: Status) {
        drop(self.say.send(Err(status)).await);
    }

    pub(crate) async fn offer(&mut self, tasks: &[(u64, v1::TaskSpec)]) {
        self.batches += 1;
        let offers = tasks
            .iter()
            .map(|(counter, spec)| v1::Offer {
                lease: Some(lease(*counter)),
                attempt: 1,
                task_spec: spec.encode_to_vec().into(),
            })
            .collect();
        self.say(Say::Offers(v1::Offers {
            offer_seq: self.batches,
            offers,
            more: false,
        }))
        .await;
    }

    pub(crate) async fn ack(&mut self, counters: &[u64]) {
        let leases = counters.iter().copied().map(lease).collect();
        self.say(Say::ResultAcks(v1::ResultAcks { leases })).await;
    }

    /// The next message, heartbeats answered and included; `None` when the worker ended its half.
    pub(crate) async fn heard(&mut self) -> Option<Said> {
        let message = tokio::time::timeout(PATIENCE, self.said.message())
            .await
            .expect("no message in time");
        let message = message.ok().flatten()?.message;
        if let Some(Said::Heartbeat(heartbeat)) = &message {
            self.say(Say::HeartbeatAck(v1::HeartbeatAck { seq: heartbeat.seq }))
                .await;
        }
        message
    }

    /// The next message of a kind; others are passed over.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(Said) -> Option<T>) -> T {
        loop {
            let message = self.heard().await.expect("the worker closed the stream");
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    pub(crate) async fn results(&mut self) -> Vec<v1::TaskResult> {
        self.until(|message| {
            if let Said::Results(results) = message {
                Some(results.results)
            } else {
                None
            }
        })
        .await
    }

    pub(crate) async fn result(&mut self) -> v1::TaskResult {
        let mut results = self.results().await;
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0)
    }
}

type Answers<T> = Pin<Box<ReceiverStream<Result<T, Status>>>>;

#[tonic::async_trait]
impl WorkerService for Service {
    type ConnectStream = Answers<v1::ConnectResponse>;
    type PushLogsStream = Answers<v1::PushLogsResponse>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        check(&request)?;
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let peer = request.remote_addr().unwrap();
        let mut said = request.into_inner();
        let first = said.message().await?.and_then(|message| message.message);
        let Some(Said::Hello(hello)) = first else {
            return Err(Status::invalid_argument(format!("not Hello: {first:?}")));
        };
        let (say, answers) = mpsc::channel(64);
        drop(
            self.streams
                .send(Session {
                    hello,
                    peer,
                    said,
                    say,
                    batches: 0,
                })
                .await,
        );
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn push_logs(
        &self,
        request: Request<Streaming<v1::PushLogsRequest>>,
    ) -> Result<Response<Self::PushLogsStream>, Status> {
        check(&request)?;
        let (peer, mut pushed) = (request.remote_addr().unwrap(), request.into_inner());
        let (answer, answers) = mpsc::channel(64);
        let output = self.output.clone();
        self.tasks.spawn("pushed output", async move {
            let mut ends = [0, 0];
            while let Ok(Some(request)) = pushed.message().await {
                for chunk in &request.chunks {
                    let stream = usize::from(chunk.stream() == v1::LogStream::Stderr);
                    ends[stream] = chunk.offset + chunk.data.len() as u64;
                }
                let kept = v1::PushLogsResponse {
                    lease: request.lease,
                    stdout_offset: ends[0],
                    stderr_offset: ends[1],
                };
                drop(output.send(Push { peer, request }).await);
                drop(answer.send(Ok(kept)).await);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

fn check<T>(request: &Request<T>) -> Result<(), Status> {
    match request
        .metadata()
        .get("authorization")
        .map(|value| value.to_str().unwrap())
    {
        None => Err(Status::unauthenticated("a worker needs the cluster token")),
        Some(value) if value == format!("Bearer {TOKEN}") => Ok(()),
        Some(_) => Err(Status::unauthenticated("this token is not the cluster's")),
    }
}
