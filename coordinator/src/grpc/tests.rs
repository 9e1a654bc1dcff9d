//! Both services as their clients see them: a whole coordinator in this process, and tonic's clients over TCP.

use std::time::Duration;

use openclaw_config::{Settings, StorageType};
use openclaw_proto::v1;
use openclaw_proto::v1::cluster_service_client::ClusterServiceClient;
use openclaw_proto::v1::connect_request::Message as In;
use openclaw_proto::v1::connect_response::Message as Out;
use openclaw_proto::v1::run_task_response::Event;
use openclaw_proto::v1::worker_service_client::WorkerServiceClient;
use openclaw_runtime::shutdown::ShutdownTrigger;
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::run::{RunError, Setup, Started, run};

const SOON: Duration = Duration::from_secs(15);

struct Cluster {
    started: Started,
    channel: Channel,
    bearer: String,
    trigger: ShutdownTrigger,
    ended: JoinHandle<Result<(), RunError>>,
    _dir: tempfile::TempDir,
}

async fn cluster() -> Cluster {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.storage.kind = StorageType::Memory;
    settings.storage.path = dir.path().join("data/cluster.db");
    settings.coordinator.host = "127.0.0.1".to_owned();
    settings.coordinator.port = 0;
    let trigger = ShutdownTrigger::new();
    let (ready, started) = oneshot::channel();
    let shutdown = trigger.watch();
    let ended = TaskGroup::new().spawn("coordinator", async move {
        let setup = Setup {
            settings,
            profiles: None,
        };
        run(setup, shutdown, |started| drop(ready.send(started.clone()))).await
    });
    let started = timeout(SOON, started).await.unwrap().unwrap();
    let token = std::fs::read_to_string(started.folder.join("token")).unwrap();
    let channel = Endpoint::from_shared(format!("http://{}", started.addresses[0]))
        .unwrap()
        .connect()
        .await
        .unwrap();
    Cluster {
        started,
        channel,
        bearer: format!("Bearer {}", token.trim()),
        trigger,
        ended,
        _dir: dir,
    }
}

impl Cluster {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(
            "authorization",
            MetadataValue::try_from(&self.bearer).unwrap(),
        );
        request
    }

    fn client(&self) -> ClusterServiceClient<Channel> {
        ClusterServiceClient::new(self.channel.clone())
    }

    async fn worker(&self) -> Worker {
        let (send, outgoing) = mpsc::channel(64);
        let mut client = WorkerServiceClient::new(self.channel.clone());
        let request = self.request(ReceiverStream::new(outgoing));
        let receive = client.connect(request).await.unwrap().into_inner();
        Worker { send, receive }
    }

    async fn joined(&self, hello: v1::Hello) -> (Worker, v1::Welcome) {
        let mut worker = self.worker().await;
        worker.say(In::Hello(hello)).await;
        let Out::Welcome(welcome) = worker.hear().await else {
            panic!("Welcome was expected");
        };
        (worker, welcome)
    }

    async fn end(self) {
        self.trigger.raise("test");
        timeout(Duration::from_secs(10), self.ended)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

struct Worker {
    send: mpsc::Sender<v1::ConnectRequest>,
    receive: Streaming<v1::ConnectResponse>,
}

impl Worker {
    async fn say(&self, message: In) {
        self.send
            .send(v1::ConnectRequest {
                message: Some(message),
            })
            .await
            .unwrap();
    }

    async fn next(&mut self) -> Result<Option<Out>, Status> {
        let message = timeout(SOON, self.receive.message()).await.unwrap()?;
        Ok(message.and_then(|message| message.message))
    }

    async fn hear(&mut self) -> Out {
        self.next().await.unwrap().expect("the stream goes on")
    }
}

fn hello() -> v1::Hello {
    v1::Hello {
        protocol_min: openclaw_proto::PROTOCOL_MIN,
        protocol_max: openclaw_proto::PROTOCOL_MAX,
        build: "0.1.0".into(),
        node_uid: "uid-1".into(),
        node_secret: vec![9; 32].into(),
        node_id: "mac".into(),
        node_id_explicit: true,
        boot_id: "boot".into(),
        process_id: "process-1".into(),
        facts: Some(v1::NodeFacts {
            hostname: "mac".into(),
            platform: "macos".into(),
            ..v1::NodeFacts::default()
        }),
        inventory: Some(v1::Inventory {
            skills: vec![v1::Skill {
                name: "echo".into(),
                executor: v1::SkillExecutor::Builtin.into(),
                eligible: true,
                ..v1::Skill::default()
            }],
            slots_milli: 4_000,
            pools: Some(v1::Resources {
                cpu_milli: 4_000,
                ..v1::Resources::default()
            }),
            ..v1::Inventory::default()
        }),
        ..v1::Hello::default()
    }
}

fn echo() -> v1::TaskSpec {
    v1::TaskSpec {
        skill: "echo".into(),
        parameters: "{\"text\":\"hi\"}".into(),
        ..v1::TaskSpec::default()
    }
}

fn code_of(status: &Status) -> String {
    status
        .get_error_details()
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_default()
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
async fn a_task_runs_from_submit_to_result_in_one_call() {
    let cluster = cluster().await;
    let (mut worker, welcome) = cluster.joined(hello()).await;
    assert_eq!(
        (welcome.node_id.as_str(), welcome.lease_ms),
        ("mac", 90_000)
    );
    let request = cluster.request(v1::RunTaskRequest { task: Some(echo()) });
    let mut run = cluster
        .client()
        .run_task(request)
        .await
        .unwrap()
        .into_inner();
    let Some(Event::Accepted(accepted)) = run.message().await.unwrap().unwrap().event else {
        panic!("the acceptance comes first");
    };
    let Out::Offers(offers) = worker.hear().await else {
        panic!("an offer was expected");
    };
    assert_eq!(
        (offers.offer_seq, offers.more, offers.offers.len()),
        (1, false, 1)
    );
    let spec: v1::TaskSpec = prost::Message::decode(offers.offers[0].task_spec.clone()).unwrap();
    assert_eq!(
        (spec.task_id, spec.parameters),
        (accepted.task_id.clone(), "{\"text\":\"hi\"}".to_owned())
    );
    let lease = offers.offers[0].lease;
    worker
        .say(In::Updates(v1::Updates {
            started: lease.into_iter().collect(),
            progress: Vec::new(),
        }))
        .await;
    worker
        .say(In::Results(v1::Results {
            results: vec![v1::TaskResult {
                lease,
                task_id: accepted.task_id.clone(),
                outcome: v1::Outcome::Succeeded.into(),
                result: "{\"text\":\"hi\"}".into(),
                run_ms: 2,
                output: vec![v1::LogChunk {
                    stream: v1::LogStream::Stdout.into(),
                    offset: 0,
                    data: b"printed\n".as_slice().into(),
                }],
                stdout_bytes: 8,
                ..v1::TaskResult::default()
            }],
        }))
        .await;
    let mut states = Vec::new();
    let task = loop {
        match timeout(SOON, run.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .event
            .unwrap()
        {
            Event::State(state) => states.push(state.status()),
            Event::Task(task) => break task,
            Event::Accepted(_) => panic!("accepted twice"),
        }
    };
    assert_eq!(
        (task.status(), task.result.as_str()),
        (v1::TaskStatus::Completed, "{\"text\":\"hi\"}")
    );
    assert!(run.message().await.unwrap().is_none());
    assert!(matches!(worker.hear().await, Out::ResultAcks(acks) if acks.leases.len() == 1));
    let seen = timeline(&cluster, &accepted.task_id).await;
    assert_eq!(seen, ["PENDING", "SCHEDULED", "RUNNING", "COMPLETED"]);
    assert_eq!(
        printed(&cluster, &accepted.task_id).await,
        ("printed\n".to_owned(), true)
    );
    cluster.end().await;
}

async fn timeline(cluster: &Cluster, task: &str) -> Vec<String> {
    let request = Request::new(v1::GetTaskRequest {
        task_id: task.to_owned(),
        with_outputs: false,
    });
    let task = cluster
        .client()
        .get_task(request)
        .await
        .unwrap()
        .into_inner()
        .task
        .unwrap();
    task.timeline
        .iter()
        .map(|step| step.status().as_str_name().replace("TASK_STATUS_", ""))
        .collect()
}

async fn printed(cluster: &Cluster, task: &str) -> (String, bool) {
    let request = v1::GetTaskLogsRequest {
        task_id: task.to_owned(),
        follow: true,
        ..v1::GetTaskLogsRequest::default()
    };
    let mut pieces = cluster
        .client()
        .get_task_logs(request)
        .await
        .unwrap()
        .into_inner();
    let mut text = String::new();
    loop {
        let piece = timeout(SOON, pieces.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        match piece.chunk {
            Some(chunk) => text.push_str(&String::from_utf8_lossy(&chunk.data)),
            None => return (text, piece.complete),
        }
    }
}

#[tokio::test]
async fn long_output_is_pushed_kept_once_and_followed() {
    let cluster = cluster().await;
    let (mut worker, _) = cluster.joined(hello()).await;
    let request = cluster.request(v1::SubmitTasksRequest {
        tasks: vec![echo()],
        ..v1::SubmitTasksRequest::default()
    });
    let accepted = cluster
        .client()
        .submit_tasks(request)
        .await
        .unwrap()
        .into_inner()
        .tasks
        .remove(0);
    let Out::Offers(offers) = worker.hear().await else {
        panic!("an offer was expected");
    };
    let lease = offers.offers[0].lease;
    worker
        .say(In::Updates(v1::Updates {
            started: lease.into_iter().collect(),
            progress: Vec::new(),
        }))
        .await;
    let (push, outgoing) = mpsc::channel(8);
    let request = cluster.request(ReceiverStream::new(outgoing));
    let mut kept = WorkerServiceClient::new(cluster.channel.clone())
        .push_logs(request)
        .await
        .unwrap()
        .into_inner();
    let chunk = |offset, text: &str| v1::PushLogsRequest {
        lease,
        task_id: accepted.task_id.clone(),
        attempt: 1,
        chunks: vec![v1::LogChunk {
            stream: v1::LogStream::Stdout.into(),
            offset,
            data: text.as_bytes().to_vec().into(),
        }],
        last: offset > 0,
    };
    push.send(chunk(0, "one ")).await.unwrap();
    assert_eq!(kept.message().await.unwrap().unwrap().stdout_offset, 4);
    let reading = printed(&cluster, &accepted.task_id);
    let writing = async {
        push.send(chunk(0, "one ")).await.unwrap();
        assert_eq!(kept.message().await.unwrap().unwrap().stdout_offset, 4);
        push.send(chunk(4, "two")).await.unwrap();
        assert_eq!(kept.message().await.unwrap().unwrap().stdout_offset, 7);
        let result = v1::TaskResult {
            lease,
            outcome: v1::Outcome::Succeeded.into(),
            result: "{}".into(),
            stdout_bytes: 7,
            ..v1::TaskResult::default()
        };
        worker
            .say(In::Results(v1::Results {
                results: vec![result],
            }))
            .await;
    };
    let (read, ()) = tokio::join!(reading, writing);
    assert_eq!(read, ("one two".to_owned(), true));
    cluster.end().await;
}

#[tokio::test]
async fn protocols_without_overlap_are_refused_with_both_ranges() {
    let cluster = cluster().await;
    let mut worker = cluster.worker().await;
    worker
        .say(In::Hello(v1::Hello {
            protocol_min: 7,
            protocol_max: 9,
            ..hello()
        }))
        .await;
    let refused = worker.next().await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains('7') && refused.message().contains('9'),
        "{}",
        refused.message()
    );
    cluster.end().await;
}

#[tokio::test]
async fn another_secret_for_a_known_identity_is_refused() {
    let cluster = cluster().await;
    let (worker, _) = cluster.joined(hello()).await;
    let mut thief = cluster.worker().await;
    thief
        .say(In::Hello(v1::Hello {
            node_secret: vec![1; 32].into(),
            ..hello()
        }))
        .await;
    let refused = thief.next().await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::PermissionDenied,
        "{}",
        refused.message()
    );
    drop(worker);
    cluster.end().await;
}

#[tokio::test]
async fn whatever_comes_before_hello_ends_the_stream() {
    let cluster = cluster().await;
    let mut worker = cluster.worker().await;
    worker.say(In::Pong(v1::Pong { nonce: 1 })).await;
    let refused = worker.next().await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("Hello"), "{}", refused.message());
    cluster.end().await;
}

#[tokio::test]
async fn workers_are_told_to_come_back_when_the_coordinator_stops() {
    let cluster = cluster().await;
    let (mut worker, _) = cluster.joined(hello()).await;
    let mut silent = cluster.worker().await;
    let (trigger, ended) = (cluster.trigger.clone(), cluster.ended);
    trigger.raise("test");
    let Out::Draining(draining) = worker.hear().await else {
        panic!("Draining was expected");
    };
    assert!(draining.come_back_after_ms >= 200);
    assert!(
        worker.next().await.is_ok_and(|message| message.is_none()),
        "then the stream ends"
    );
    drop(silent.next().await);
    timeout(Duration::from_secs(10), ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn errors_carry_code_field_and_place() {
    let cluster = cluster().await;
    let tasks = vec![
        echo(),
        v1::TaskSpec {
            parameters: "[".into(),
            ..echo()
        },
    ];
    let request = cluster.request(v1::SubmitTasksRequest {
        tasks,
        ..v1::SubmitTasksRequest::default()
    });
    let refused = cluster.client().submit_tasks(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), code_of(&refused)),
        (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned())
    );
    let details = refused.get_error_details();
    assert_eq!(
        details.bad_request().unwrap().field_violations[0].field,
        "tasks[1].parameters"
    );
    let unknown = openclaw_common::id::TaskId::from_parts(1, 1).to_string();
    let request = v1::GetTaskRequest {
        task_id: unknown,
        with_outputs: false,
    };
    assert_eq!(
        cluster.client().get_task(request).await.unwrap_err().code(),
        Code::NotFound
    );
    let without_token = v1::SubmitTasksRequest {
        tasks: vec![echo()],
        ..v1::SubmitTasksRequest::default()
    };
    assert_eq!(
        cluster
            .client()
            .submit_tasks(without_token)
            .await
            .unwrap_err()
            .code(),
        Code::Unauthenticated
    );
    cluster.end().await;
}

#[tokio::test]
async fn a_repeated_submit_finds_the_same_tasks_and_another_one_is_refused() {
    let cluster = cluster().await;
    let mut client = cluster.client();
    let submit = |spec: v1::TaskSpec| {
        cluster.request(v1::SubmitTasksRequest {
            tasks: vec![spec],
            idempotency_key: "job".into(),
        })
    };
    let first = client
        .submit_tasks(submit(echo()))
        .await
        .unwrap()
        .into_inner()
        .tasks
        .remove(0);
    let again = client
        .submit_tasks(submit(echo()))
        .await
        .unwrap()
        .into_inner()
        .tasks
        .remove(0);
    assert_eq!(
        (again.task_id, again.existing),
        (first.task_id.clone(), true)
    );
    let other = v1::TaskSpec {
        parameters: "{}".into(),
        ..echo()
    };
    let refused = client.submit_tasks(submit(other)).await.unwrap_err();
    assert_eq!(
        (refused.code(), code_of(&refused)),
        (Code::AlreadyExists, "ALREADY_EXISTS".to_owned())
    );
    cluster.end().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
async fn a_waiting_task_says_why_and_can_be_watched_and_cancelled() {
    let cluster = cluster().await;
    let mut client = cluster.client();
    let request = cluster.request(v1::SubmitTasksRequest {
        tasks: vec![echo()],
        ..v1::SubmitTasksRequest::default()
    });
    let id = client
        .submit_tasks(request)
        .await
        .unwrap()
        .into_inner()
        .tasks
        .remove(0)
        .task_id;
    let explained = client
        .explain_task(v1::ExplainTaskRequest {
            task_id: id.clone(),
        })
        .await
        .unwrap()
        .into_inner();
    let reason = explained.state.unwrap().reason.unwrap();
    assert_eq!(reason.code, "NO_NODE_WITH_SKILL");
    let mut changes = client
        .watch_tasks(v1::WatchTasksRequest {
            task_ids: vec![id.clone()],
        })
        .await
        .unwrap()
        .into_inner();
    let now = changes.message().await.unwrap().unwrap().state.unwrap();
    assert_eq!(now.status(), v1::TaskStatus::Pending);
    let cancel = cluster.request(v1::CancelTaskRequest {
        task_id: id.clone(),
        reason: "test".into(),
    });
    let state = client
        .cancel_task(cancel)
        .await
        .unwrap()
        .into_inner()
        .state
        .unwrap();
    assert_eq!(state.status(), v1::TaskStatus::Cancelled);
    let last = timeout(SOON, changes.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
        .state
        .unwrap();
    assert_eq!(last.status(), v1::TaskStatus::Cancelled);
    assert!(
        timeout(SOON, changes.message())
            .await
            .unwrap()
            .unwrap()
            .is_none(),
        "all are final"
    );
    let again = cluster.request(v1::CancelTaskRequest {
        task_id: id.clone(),
        reason: String::new(),
    });
    assert_eq!(
        client
            .cancel_task(again)
            .await
            .unwrap()
            .into_inner()
            .state
            .unwrap()
            .status(),
        v1::TaskStatus::Cancelled
    );
    let wait = v1::WaitTaskRequest {
        task_id: id,
        ..v1::WaitTaskRequest::default()
    };
    assert!(client.wait_task(wait).await.unwrap().into_inner().r#final);
    cluster.end().await;
}

#[tokio::test]
async fn nodes_skills_and_the_cluster_are_shown() {
    let cluster = cluster().await;
    let (worker, _) = cluster.joined(hello()).await;
    let mut views = cluster.started.handle.view_changes();
    timeout(SOON, views.wait_for(|view| !view.view.nodes.is_empty()))
        .await
        .unwrap()
        .unwrap();
    let mut client = cluster.client();
    let nodes = client
        .list_nodes(v1::ListNodesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .nodes;
    assert_eq!(
        (
            nodes[0].node_id.as_str(),
            nodes[0].status(),
            nodes[0].max_concurrent_tasks
        ),
        ("mac", v1::NodeStatus::Online, 4)
    );
    let skills = client
        .list_skills(v1::ListSkillsRequest {})
        .await
        .unwrap()
        .into_inner()
        .skills;
    assert_eq!(skills[0].eligible_nodes, ["mac"]);
    let cluster_now = client
        .get_cluster(v1::GetClusterRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (cluster_now.total_slots, cluster_now.store.as_str()),
        (4, "memory")
    );
    let missing = client
        .get_node(v1::GetNodeRequest {
            node_id: "nobody".into(),
        })
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    drop(worker);
    cluster.end().await;
}

#[tokio::test]
async fn a_page_ends_where_its_message_is_full_and_the_next_one_goes_on() {
    let cluster = cluster().await;
    let mut client = cluster.client();
    let wordy = || v1::TaskSpec {
        description: "d".repeat(4_000),
        ..echo()
    };
    let request = cluster.request(v1::SubmitTasksRequest {
        tasks: (0..600).map(|_| wordy()).collect(),
        ..v1::SubmitTasksRequest::default()
    });
    let accepted = client.submit_tasks(request).await.unwrap().into_inner();
    let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let request = v1::ListTasksRequest {
            limit: 1_000,
            cursor,
            ..v1::ListTasksRequest::default()
        };
        let page = client.list_tasks(request).await.unwrap().into_inner();
        let ids = page.tasks.into_iter().filter_map(|task| task.spec);
        seen.extend(ids.map(|spec| spec.task_id));
        pages += 1;
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    seen.reverse();
    let wanted: Vec<String> = accepted
        .tasks
        .into_iter()
        .map(|task| task.task_id)
        .collect();
    assert_eq!(seen, wanted);
    assert!(pages > 2, "{pages} pages");
    cluster.end().await;
}
