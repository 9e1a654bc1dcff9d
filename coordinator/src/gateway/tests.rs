//! The HTTP API of a whole coordinator, as clients meet it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openclaw_config::{Settings, StorageType};
use openclaw_runtime::shutdown::{ShutdownTrigger, Stage};
use openclaw_runtime::tasks::TaskGroup;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{Gateway, router};
use crate::auth::ClusterToken;
use crate::handle::Handle;
use crate::run::{RunError, Setup, run};
use crate::task_logs::TaskLogs;

struct Cluster {
    address: SocketAddr,
    token: String,
    client: Client<HttpConnector, Body>,
    trigger: ShutdownTrigger,
    running: JoinHandle<Result<(), RunError>>,
    handle: Handle,
    dir: tempfile::TempDir,
}

/// One answer, read whole.
struct Told {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.storage.kind = StorageType::Memory;
        settings.storage.path = dir.path().join("cluster.db");
        settings.coordinator.host = "127.0.0.1".to_owned();
        settings.coordinator.port = 0;
        let folder = settings.coordinator_dir();
        let trigger = ShutdownTrigger::new();
        let (ready, started) = oneshot::channel();
        let setup = Setup {
            settings,
            profiles: None,
        };
        let shutdown = trigger.watch();
        let running = TaskGroup::new().spawn("coordinator", async move {
            run(setup, shutdown, |started| drop(ready.send(started.clone()))).await
        });
        let started = started.await.unwrap();
        let token = ClusterToken::load_or_create(&folder)
            .unwrap()
            .reveal()
            .to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            address: started.addresses[0],
            token,
            client,
            trigger,
            running,
            handle: started.handle,
            dir,
        }
    }

    async fn send(&self, request: Request<Body>) -> Told {
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Told {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    async fn get(&self, path: &str) -> Told {
        let request = Request::get(format!("http://{}{path}", self.address));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
    }

    async fn post(&self, path: &str, body: &Value) -> Told {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn submit(&self, body: Value) -> String {
        let told = self.post("/api/v1/tasks", &body).await;
        assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.text);
        told.json()["task_id"].as_str().unwrap().to_owned()
    }

    async fn stop(self) {
        self.trigger.at_least(Stage::Graceful);
        self.running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn health_tells_of_the_store_and_the_process() {
    let cluster = Cluster::start().await;
    let health = cluster.get("/health").await.json();
    assert_eq!(
        (&health["status"], &health["service"]),
        (&json!("healthy"), &json!("openclaw-coordinator"))
    );
    for field in ["timestamp", "version", "epoch", "store"] {
        assert!(!health[field].is_null(), "{field} in {health}");
    }
    assert_eq!(cluster.get("/livez").await.json()["status"], "alive");
    assert_eq!(cluster.get("/readyz").await.json()["status"], "ready");
    cluster.stop().await;
}

#[tokio::test]
async fn an_empty_cluster_has_its_lists_and_says_what_is_wrong_with_a_filter() {
    let cluster = Cluster::start().await;
    for path in [
        "/api/v1/nodes",
        "/api/v1/nodes?status_filter=online,busy",
        "/api/v1/nodes/online",
        "/api/v1/nodes/skills/echo",
        "/api/v1/skills",
    ] {
        let told = cluster.get(path).await;
        assert_eq!(
            (told.status, told.json()),
            (StatusCode::OK, json!([])),
            "{path}"
        );
    }
    let health = cluster.get("/api/v1/cluster/health").await.json();
    assert_eq!(
        (&health["total_nodes"], &health["capacity_utilization"]),
        (&json!(0), &json!(0.0))
    );
    assert_eq!(
        health["nodes_by_status"],
        json!({"online": 0, "busy": 0, "offline": 0, "maintenance": 0, "error": 0})
    );
    for field in [
        "checked_at",
        "online_nodes",
        "offline_nodes",
        "busy_nodes",
        "timeout_nodes_count",
        "total_capacity",
        "used_capacity",
        "available_capacity",
    ] {
        assert!(!health[field].is_null(), "{field} in {health}");
    }
    let told = cluster.get("/api/v1/nodes?status_filter=onlin").await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    let expected = "status_filter: `onlin` is not a node status; use one of: online, busy, offline, maintenance, error";
    assert_eq!(told.json()["detail"], expected);
    let told = cluster.get("/api/v1/nodes?status_filtre=online").await;
    assert_eq!(
        told.json()["detail"],
        "unknown parameter `status_filtre`; did you mean `status_filter`?"
    );
    for path in [
        "/api/v1/nodes/nobody",
        "/api/v1/nodes/nobody/health",
        "/api/v1/skills/none",
    ] {
        let told = cluster.get(path).await;
        assert_eq!(
            (told.status, told.header("content-type")),
            (StatusCode::NOT_FOUND, "application/problem+json"),
            "{path}"
        );
        assert_eq!(told.json()["code"], "NOT_FOUND");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_task_is_accepted_and_found_again() {
    let cluster = Cluster::start().await;
    let body = json!({
        "skill": "echo", "parameters": {"text": "hi"}, "timeout": "1m 30s", "priority": "high"
    });
    let told = cluster.post("/api/v1/tasks", &body).await;
    assert_eq!(
        (told.status, &told.json()["status"]),
        (StatusCode::ACCEPTED, &json!("pending"))
    );
    let id = told.json()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(told.header("location"), format!("/api/v1/tasks/{id}"));

    let task = cluster.get(&format!("/api/v1/tasks/{id}")).await.json();
    for (field, value) in [
        ("task_id", json!(id)),
        ("status", json!("pending")),
        ("priority", json!("high")),
        ("parameters", json!({"text": "hi"})),
        ("timeout", json!(90.0)),
    ] {
        assert_eq!(task[field], value, "{task}");
    }
    assert_eq!(task["reason"]["code"], "NO_NODE_WITH_SKILL");

    let prefix = &id[..12];
    for (query, found) in [
        (
            "status=pending,running&skill=echo&since=1h&limit=1".to_owned(),
            1,
        ),
        ("status=pending&status=running".to_owned(), 1),
        (format!("id_prefix={prefix}"), 1),
        ("status=failed".to_owned(), 0),
        ("node=nobody".to_owned(), 0),
    ] {
        let page = cluster.get(&format!("/api/v1/tasks?{query}")).await.json();
        assert_eq!(page["tasks"].as_array().unwrap().len(), found, "{query}");
        assert!(page["tasks"][0].get("parameters").is_none());
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_waiting_task_says_why_and_a_cancelled_one_has_ended() {
    let cluster = Cluster::start().await;
    let id = cluster.submit(json!({"skill": "echo"})).await;
    let path = |rest: &str| format!("/api/v1/tasks/{id}{rest}");
    let why = cluster.get(&path("/explain")).await.json();
    assert_eq!((&why["task_id"], &why["nodes"]), (&json!(id), &json!([])));
    assert_eq!(why["reason"]["code"], "NO_NODE_WITH_SKILL");
    let log = cluster.get(&path("/logs")).await;
    assert_eq!((log.status, log.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");
    let status_of = |told: &Told| (told.status.as_u16(), told.json()["status"].clone());
    let pending = cluster.get(&path("/result")).await;
    assert_eq!(status_of(&pending), (202, json!("pending")));

    let reason = json!({"reason": "test"});
    let cancelled = cluster.post(&path("/cancel?wait=5s"), &reason).await;
    assert_eq!(status_of(&cancelled), (202, json!("cancelled")));
    let again = cluster.request(Method::POST, &path("/cancel"));
    let again = cluster.send(again.body(Body::empty()).unwrap()).await;
    assert_eq!(
        status_of(&again),
        (202, json!("cancelled")),
        "no body is fine, and so is twice"
    );
    let result = cluster.get(&path("/result?wait=5s")).await;
    assert_eq!(status_of(&result), (200, json!("cancelled")));
    let explained = cluster.get(&path("/explain")).await;
    assert_eq!(status_of(&explained), (200, json!("cancelled")));
    assert!(!cluster.get(&path("")).await.json()["completed_at"].is_null());
    cluster.stop().await;
}

#[tokio::test]
async fn many_tasks_are_accepted_at_once_or_none() {
    let cluster = Cluster::start().await;
    let told = cluster
        .post("/api/v1/tasks", &json!([{"skill": "a"}, {"skill": "b"}]))
        .await;
    assert_eq!(told.json()["tasks"].as_array().unwrap().len(), 2);
    let told = cluster
        .post(
            "/api/v1/tasks",
            &json!({"tasks": [{"skill": "a"}], "idempotency_key": "k"}),
        )
        .await;
    assert_eq!(
        told.json()["tasks"].as_array().unwrap().len(),
        1,
        "a list of one is answered with a list"
    );
    let told = cluster
        .post(
            "/api/v1/tasks",
            &json!([{"skill": "a"}, {"name": "nothing to run"}]),
        )
        .await;
    assert_eq!(
        (told.status, &told.json()["index"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!(1))
    );
    assert!(
        told.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("tasks[1]: skill: "),
        "{}",
        told.text
    );
    let told = cluster.post("/api/v1/tasks", &json!([])).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let page = cluster
            .get(&format!("/api/v1/tasks?limit=1{cursor}"))
            .await
            .json();
        seen += page["tasks"].as_array().unwrap().len();
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, 3);
    cluster.stop().await;
}

#[tokio::test]
async fn the_same_key_names_the_same_task_and_another_body_is_a_conflict() {
    let cluster = Cluster::start().await;
    let send = async |key: &str, body: Value| {
        let request = cluster.request(Method::POST, "/api/v1/tasks");
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        cluster
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let first = send("once", json!({"skill": "echo"})).await.json();
    let second = send("once", json!({"skill": "echo"})).await.json();
    assert_eq!(
        (&first["task_id"], &second["existing"]),
        (&second["task_id"], &json!(true))
    );
    let other = send("once", json!({"skill": "sleep"})).await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (StatusCode::CONFLICT, &json!("ALREADY_EXISTS"))
    );
    let both = send("once", json!({"skill": "echo", "idempotency_key": "twice"})).await;
    assert_eq!(
        (both.status, &both.json()["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key"))
    );
    let batch = send("many", json!([{"skill": "a"}, {"skill": "b"}]))
        .await
        .json();
    let id = batch["tasks"][1]["task_id"].as_str().unwrap();
    assert_eq!(
        cluster.get(&format!("/api/v1/tasks/{id}")).await.json()["idempotency_key"],
        "many/1"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_accepted_is_refused_by_field_size_and_type() {
    let cluster = Cluster::start().await;
    let mut deep = json!({});
    for _ in 0..64 {
        deep = json!({"a": deep});
    }
    let large = "x".repeat(1 << 20);
    for (body, status, code, says) in [
        (
            json!({"skill": "echo", "timout": 1}),
            422,
            "INVALID_ARGUMENT",
            "did you mean `timeout`?",
        ),
        (
            json!({"skill": "echo", "parameters": deep}),
            422,
            "INVALID_ARGUMENT",
            "deep",
        ),
        (
            json!({"skill": "echo", "parameters": {"a": large}}),
            413,
            "TOO_LARGE",
            "parameters",
        ),
        (
            json!({"skill": large.repeat(5)}),
            413,
            "TOO_LARGE",
            "the body",
        ),
    ] {
        let told = cluster.post("/api/v1/tasks", &body).await;
        assert_eq!(
            (told.status.as_u16(), &told.json()["code"]),
            (status, &json!(code))
        );
        assert!(
            told.json()["detail"].as_str().unwrap().contains(says),
            "{}",
            told.text
        );
    }
    let raw = async |content_type: &'static str, body: &'static str| {
        let request = cluster.request(Method::POST, "/api/v1/tasks");
        let request = request.header("content-type", content_type);
        cluster.send(request.body(Body::from(body)).unwrap()).await
    };
    assert_eq!(raw("text/plain", "{}").await.status.as_u16(), 415);
    let told = raw("application/json", "{\"skill\": \n nonsense}").await;
    assert_eq!(
        (told.status.as_u16(), &told.json()["line"]),
        (400, &json!(2))
    );
    let put = cluster.request(Method::PUT, "/api/v1/tasks");
    let told = cluster.send(put.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (told.status.as_u16(), told.header("allow")),
        (405, "GET,HEAD,POST")
    );
    cluster.stop().await;
}

#[tokio::test]
async fn an_address_that_means_nothing_is_refused_by_name() {
    let cluster = Cluster::start().await;
    let id = cluster.submit(json!({"skill": "echo"})).await;
    let unknown = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for path in [
        format!("{unknown}/result?wait=10s"),
        format!("{unknown}/explain"),
        "nonsense".to_owned(),
        "nonsense/explain".to_owned(),
        "nonsense/logs".to_owned(),
        format!("{id}/logs?attempt=3"),
    ] {
        let told = cluster.get(&format!("/api/v1/tasks/{path}")).await;
        assert_eq!(told.status.as_u16(), 404, "{path}: {}", told.text);
    }
    let bad = [
        "?limit=0",
        "?limit=1001",
        "?status=done",
        "?since=tomorrow",
        "?cursor=x",
        "?colour=red",
        "?limit=1&limit=2",
        "?id_prefix=*",
        "/{id}?x=1",
        "/{id}/result?wait=soon",
        "/{id}/result?wait=6m",
        "/{id}/result?wait=-1",
        "/{id}/logs?stream=x",
        "/{id}/logs?attempt=x",
        "/{id}/logs?follow=maybe",
    ];
    for query in bad {
        let told = cluster
            .get(&format!("/api/v1/tasks{}", query.replace("{id}", &id)))
            .await;
        assert_eq!(told.status.as_u16(), 400, "{query}: {}", told.text);
        assert!(told.json()["field"].is_string(), "{query}: {}", told.text);
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_with_the_server() {
    let cluster = Cluster::start().await;
    let id = cluster.submit(json!({"skill": "echo"})).await;
    let told = cluster
        .get(&format!("/api/v1/tasks/{id}/result?wait=0.2"))
        .await;
    assert_eq!(
        (told.status, &told.json()["status"]),
        (StatusCode::ACCEPTED, &json!("pending"))
    );
    let log = format!("http://{}/api/v1/tasks/{id}/logs?follow", cluster.address);
    let events = Request::get(log)
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .unwrap();
    let events = cluster.client.request(events).await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let started = Instant::now();
    cluster.stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    events.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn who_waits_is_answered_when_the_server_stops() {
    let cluster = Cluster::start().await;
    let id = cluster.submit(json!({"skill": "echo"})).await;
    let stop = CancellationToken::new();
    let api = router(Gateway {
        handle: cluster.handle.clone(),
        logs: TaskLogs::new(cluster.dir.path(), TaskGroup::new()),
        heartbeat_timeout: Duration::from_secs(90),
        cluster_name: "home".to_owned(),
        stop: stop.clone(),
    });
    let request = Request::get(format!("/api/v1/tasks/{id}/result?wait=5m"))
        .body(Body::empty())
        .unwrap();
    stop.cancel();
    let answer = timeout(Duration::from_secs(10), api.oneshot(request))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    cluster.stop().await;
}
