//! The HTTP face, with curl's eyes: names and shapes that clients of the older API know.

use std::time::Duration;

use openclaw_tests::harness::{Cluster, Http, Settings, until};
use serde_json::{Value, json};

const NODE_FIELDS: [&str; 21] = [
    "node_id",
    "hostname",
    "platform",
    "arch",
    "status",
    "available_skills",
    "max_concurrent_tasks",
    "running_tasks",
    "ip_address",
    "tailscale_ip",
    "port",
    "cpu_usage",
    "memory_usage",
    "disk_usage",
    "total_tasks_processed",
    "successful_tasks",
    "failed_tasks",
    "average_execution_time",
    "registered_at",
    "last_heartbeat",
    "tags",
];

async fn get(http: &Http, path: &str) -> Value {
    let (status, body) = http.get(path).await.expect("an answer");
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_have_the_fields_that_clients_know_and_health_needs_no_token() {
    let cluster = Cluster::builder()
        .worker("one", Settings::default(), &[("append", "append")])
        .start()
        .await;
    let http = Http::new(&cluster.coordinator.address(), None);
    let health = get(&http, "/health").await;
    assert_eq!(health["status"], "healthy");
    for field in ["timestamp", "service", "version"] {
        assert!(health[field].is_string(), "{field}: {health}");
    }
    let nodes = get(&http, "/api/v1/nodes").await;
    let node = &nodes.as_array().expect("a list")[0];
    let missing: Vec<_> = NODE_FIELDS
        .iter()
        .filter(|field| node.get(**field).is_none())
        .collect();
    assert!(missing.is_empty(), "missing {missing:?} in {node}");
    let word = |field: &str| node[field].as_str().unwrap_or_default().to_owned();
    assert!(
        ["macos", "windows", "linux"].contains(&&*word("platform")),
        "{node}"
    );
    assert!(
        ["x64", "arm64", "x86", "arm"].contains(&&*word("arch")),
        "{node}"
    );
    assert_eq!(
        get(&http, "/api/v1/nodes/online")
            .await
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        get(&http, "/api/v1/nodes/skills/append").await[0]["node_id"],
        "one"
    );
    assert_eq!(get(&http, "/api/v1/nodes/skills/nothing").await, json!([]));
    assert_eq!(
        get(&http, "/api/v1/nodes/one/health").await["healthy"],
        true
    );
    assert_eq!(
        get(&http, "/api/v1/cluster/health").await["total_capacity"],
        5
    );
    assert_eq!(
        http.get("/api/v1/nodes?status_filter=tired")
            .await
            .unwrap()
            .0,
        400
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_submitted_waited_for_and_its_logs_are_read() {
    let cluster = Cluster::builder()
        .worker("one", Settings::default(), &[("behave", "behave")])
        .start()
        .await;
    let http = cluster.http();
    let half = json!({"skill": "behave", "parameters": {"how": "half"}, "name": "half"});
    let body = json!({"tasks": [half, {"skill": "echo", "parameters": {"n": 2}}]});
    let (status, accepted) = http.post("/api/v1/tasks", &body).await.unwrap();
    assert_eq!(
        (status, accepted["tasks"].as_array().map(Vec::len)),
        (202, Some(2)),
        "{accepted}"
    );
    let id = |index: usize| {
        accepted["tasks"][index]["task_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };

    let ended = get(&http, &format!("/api/v1/tasks/{}/result?wait=30s", id(1))).await;
    assert_eq!(
        (&ended["status"], &ended["result"]),
        (&json!("completed"), &json!({"n": 2})),
        "{ended}"
    );
    get(&http, &format!("/api/v1/tasks/{}/result?wait=30s", id(0))).await;
    let task = get(&http, &format!("/api/v1/tasks/{}", id(0))).await;
    assert_eq!(
        (&task["name"], &task["assigned_node"], &task["user_id"]),
        (&json!("half"), &json!("one"), &json!("admin"))
    );
    assert!(
        task["completed_at"].is_string() && task["submitted_at"].is_string(),
        "{task}"
    );
    let listed = get(&http, "/api/v1/tasks?status=completed&limit=10").await;
    assert_eq!(
        listed["tasks"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    until("the log to be complete", async || {
        let text = text_of(&cluster, &format!("/api/v1/tasks/{}/logs", id(0))).await;
        text.contains("{\"half\": tr").then_some(())
    })
    .await;
    cluster.end().await;
}

/// A body that is text.
async fn text_of(cluster: &Cluster, path: &str) -> String {
    let url = format!("http://{}{path}", cluster.coordinator.address());
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}
