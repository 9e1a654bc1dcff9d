//! Configuration files as users have them.

use std::fs;
use std::path::Path;

use openclaw_tests::harness::{
    Cli, Client, Cluster, Http, Process, Sandbox, Settings, checkout, free_port, spec, until,
};
use serde_json::json;

/// The file of the guide that people have followed so far, word for word.
const GUIDE: &str = "\
storage:
  type: sqlite
  path: ./data/cluster.db
coordinator:
  host: 0.0.0.0
  port: 8888
  heartbeat_timeout: 90
  heartbeat_check_interval: 30
worker:
  max_concurrent_tasks: 5
  heartbeat_interval: 5
  skills_dir: ./skills
  port: 18789
communication:
  nats_url: nats://100.x.x.x:4222
log:
  level: INFO
  format: json
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_file_starts_a_cluster_that_finds_itself() {
    let sandbox = Sandbox::new();
    let project = checkout(&sandbox);
    a_cluster_runs_text_stats(&sandbox, &project).await;
    assert!(project.join("data/cluster.db").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_own_file_starts_a_cluster_as_it_stands() {
    let sandbox = Sandbox::new();
    let project = checkout(&sandbox);
    fs::write(project.join("config/config.yaml"), GUIDE).expect("the guide's file");
    a_cluster_runs_text_stats(&sandbox, &project).await;
    let database = fs::read(project.join("data/cluster.db")).expect("a file");
    assert!(database.starts_with(b"SQLite format 3\0"));
    let log = fs::read_to_string(project.join("logs/coordinator.log")).expect("a log");
    let warned = log
        .lines()
        .any(|line| line.contains("WARN") && line.contains("100.x.x.x"));
    assert!(warned, "nothing is said of the placeholder:\n{log}");
}

/// Starts the programs as the file of the project says, runs a task, and stops them.
async fn a_cluster_runs_text_stats(sandbox: &Sandbox, project: &Path) {
    let port = free_port();
    // The port alone is not the file's: another cluster may run on this machine.
    let start = |name: &str| {
        let mut command = sandbox.program(name);
        command
            .args(["--config", "config/config.yaml"])
            .current_dir(project);
        command.env("OPENCLAW__COORDINATOR__PORT", port.to_string());
        Process::start(name, command, &project.join(format!("{name}.console")))
    };
    let mut coordinator = start("openclaw-coordinator");
    let http = Http::new(&format!("127.0.0.1:{port}"), None);
    until("the coordinator to be ready", async || {
        assert!(coordinator.ended().is_none(), "it ended");
        (http.get("/readyz").await.ok()?.0 == 200).then_some(())
    })
    .await;
    let mut worker = start("openclaw-worker");
    let cli = Cli::new(sandbox)
        .in_folder(project)
        .env("OPENCLAW__COORDINATOR__PORT", port.to_string());
    until("the worker to be online", async || {
        let answer = cli
            .call(&["node", "list", "--status", "online", "-q"])
            .await;
        (!answer.out.trim().is_empty()).then_some(())
    })
    .await;
    let arguments = [
        "run",
        "text-stats",
        "--input",
        "README.md",
        "--output-dir",
        "out",
        "--wait",
        "60s",
        "--json",
    ];
    let task = cli.call(&arguments).await.json(0);
    let words = task["result"]["words"].as_u64().expect("a count of words");
    let text = fs::read_to_string(project.join("README.md")).expect("the README");
    assert_eq!(
        task["result"]["lines"].as_u64(),
        Some(text.lines().count() as u64)
    );
    assert!(words > 100, "{task}");
    for path in [
        "data/cluster.db",
        "data/coordinator/token",
        "logs/coordinator.log",
        "logs/worker.log",
    ] {
        assert!(project.join(path).exists(), "{path} is missing");
    }
    assert!(
        worker
            .end(std::time::Duration::from_secs(45))
            .await
            .success()
    );
    assert!(
        coordinator
            .end(std::time::Duration::from_secs(15))
            .await
            .success()
    );
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_only_knows_the_nats_server_finds_the_coordinator_beside_it() {
    // Machine A is 127.0.0.2 here: not the address that is tried last.
    let mut cluster = Cluster::builder().host("127.0.0.2").start().await;
    let address = cluster.coordinator.address();
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let token = cluster.coordinator.token();
    let settings = Settings::default()
        .with("coordinator.port", port)
        .with("communication.nats_url", "nats://127.0.0.2:4222");
    let mut worker =
        openclaw_tests::harness::Worker::new(&cluster.sandbox, "b", settings, Some(token.clone()));
    worker.launch(&cluster.sandbox);
    let client = Client::new(&address, Some(&token));
    client.online("b").await;
    let id = client
        .submit_one(spec("echo", &json!({"text": "hi"})))
        .await;
    let task = client.wait(&id, std::time::Duration::from_secs(20)).await;
    assert_eq!(task.assigned_node, "b");
    let log = worker.process().console();
    assert!(
        log.contains("127.0.0.2") && log.contains("nats_url"),
        "it does not say where it found it, and why:\n{log}"
    );
    worker.end().await;
    cluster.coordinator.end().await;
}
