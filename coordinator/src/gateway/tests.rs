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
async fn a_task_is_accepted_found_listed_explained_and_cancelled() {
    let cluster = Cluster::start().await;
    let body = json!({"skill": "echo", "name": "first", "parameters": {"text": "hi"}, "timeout": "1m 30s", "priority": "high"});
    let told = cluster.post("/api/v1/tasks", &body).await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.text);
    assert_eq!(told.json()["status"], "pending");
    let id = told.json()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(told.header("location"), format!("/api/v1/tasks/{id}"));

    let task = cluster.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!(
        (&task["task_id"], &task["status"], &task["priority"]),
        (&json!(id), &json!("pending"), &json!("high"))
    );
    assert_eq!(
        (&task["parameters"], &task["timeout"]),
        (&json!({"text": "hi"}), &json!(90.0))
    );
    assert_eq!(task["reason"]["code"], "NO_NODE_WITH_SKILL");

    let page = cluster
        .get("/api/v1/tasks?status=pending,running&skill=echo&since=1h&limit=1")
        .await
        .json();
    assert_eq!(page["tasks"][0]["task_id"], json!(id));
    assert!(page["tasks"][0].get("parameters").is_none());
    assert_eq!(
        cluster.get("/api/v1/tasks?status=failed").await.json()["tasks"],
        json!([])
    );
    let page = cluster
        .get(&format!("/api/v1/tasks?id_prefix={}", &id[..12]))
        .await
        .json();
    assert_eq!(page["tasks"].as_array().unwrap().len(), 1);

    let why = cluster
        .get(&format!("/api/v1/tasks/{id}/explain"))
        .await
        .json();
    assert_eq!(
        (&why["task_id"], &why["reason"]["code"]),
        (&json!(id), &json!("NO_NODE_WITH_SKILL"))
    );
    assert_eq!(why["nodes"], json!([]));
    let log = cluster.get(&format!("/api/v1/tasks/{id}/logs")).await;
    assert_eq!((log.status, log.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");

    let pending = cluster.get(&format!("/api/v1/tasks/{id}/result")).await;
    assert_eq!(
        (pending.status, &pending.json()["status"]),
        (StatusCode::ACCEPTED, &json!("pending"))
    );
    let cancelled = cluster
        .post(
            &format!("/api/v1/tasks/{id}/cancel?wait=5s"),
            &json!({"reason": "test"}),
        )
        .await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (StatusCode::ACCEPTED, &json!("cancelled"))
    );
    let again = cluster
        .send(
            cluster
                .request(Method::POST, &format!("/api/v1/tasks/{id}/cancel"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(
        (again.status, &again.json()["status"]),
        (StatusCode::ACCEPTED, &json!("cancelled")),
        "idempotent, and no body is fine"
    );
    let result = cluster
        .get(&format!("/api/v1/tasks/{id}/result?wait=5s"))
        .await;
    assert_eq!(
        (result.status, &result.json()["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    assert_eq!(
        cluster
            .get(&format!("/api/v1/tasks/{id}/explain"))
            .await
            .json()["status"],
        "cancelled"
    );
    assert!(!cluster.get(&format!("/api/v1/tasks/{id}")).await.json()["completed_at"].is_null());
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
async fn what_cannot_be_accepted_is_refused_by_name() {
    let cluster = Cluster::start().await;
    let told = cluster
        .post("/api/v1/tasks", &json!({"skill": "echo", "timout": 1}))
        .await;
    assert_eq!(
        (told.status, &told.json()["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("timout"))
    );
    let mut deep = json!({});
    for _ in 0..64 {
        deep = json!({"a": deep});
    }
    let told = cluster
        .post(
            "/api/v1/tasks",
            &json!({"skill": "echo", "parameters": deep}),
        )
        .await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        told.json()["detail"].as_str().unwrap().contains("levels"),
        "{}",
        told.text
    );
    let told = cluster
        .post(
            "/api/v1/tasks",
            &json!({"skill": "echo", "parameters": {"a": "x".repeat(1 << 20)}}),
        )
        .await;
    assert_eq!(
        (told.status, &told.json()["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("TOO_LARGE"))
    );
    let told = cluster
        .post("/api/v1/tasks", &json!({"skill": "x".repeat(5 << 20)}))
        .await;
    assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE);
    let raw = async |content_type: &'static str, body: &'static str| {
        let request = cluster
            .request(Method::POST, "/api/v1/tasks")
            .header("content-type", content_type);
        cluster.send(request.body(Body::from(body)).unwrap()).await
    };
    assert_eq!(
        raw("text/plain", "{}").await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let told = raw("application/json", "{\"skill\": \n nonsense}").await;
    assert_eq!(
        (told.status, &told.json()["line"]),
        (StatusCode::BAD_REQUEST, &json!(2))
    );
    let told = cluster
        .send(
            cluster
                .request(Method::PUT, "/api/v1/tasks")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(
        (told.status, told.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,POST")
    );
    let told = cluster
        .get("/api/v1/tasks/task_01ARZ3NDEKTSV4RRFFQ69G5FAV/result?wait=10s")
        .await;
    assert_eq!(
        told.status,
        StatusCode::NOT_FOUND,
        "an unknown id is not waited for"
    );
    for path in [
        "/api/v1/tasks/nonsense",
        "/api/v1/tasks/nonsense/explain",
        "/api/v1/tasks/nonsense/logs",
    ] {
        assert_eq!(
            cluster.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for query in [
        "limit=0",
        "limit=1001",
        "status=done",
        "since=tomorrow",
        "cursor=x",
        "colour=red",
        "limit=1&limit=2",
        "id_prefix=*",
    ] {
        let told = cluster.get(&format!("/api/v1/tasks?{query}")).await;
        assert_eq!(
            told.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            told.text
        );
    }
    let id = cluster.submit(json!({"skill": "echo"})).await;
    for query in ["wait=soon", "wait=6m", "wait=-1"] {
        let told = cluster
            .get(&format!("/api/v1/tasks/{id}/result?{query}"))
            .await;
        assert_eq!(
            told.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            told.text
        );
    }
    for query in ["stream=x", "attempt=x", "follow=maybe"] {
        let told = cluster
            .get(&format!("/api/v1/tasks/{id}/logs?{query}"))
            .await;
        assert_eq!(
            told.status,
            StatusCode::BAD_REQUEST,
            "{query}: {}",
            told.text
        );
    }
    assert_eq!(
        cluster
            .get(&format!("/api/v1/tasks/{id}/logs?attempt=3"))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
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
