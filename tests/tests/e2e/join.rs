//! The second machine: join once, then run; leave.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use openclaw_proto::v1::TaskStatus;
use openclaw_tests::harness::{Answer, Cluster, Process, Sandbox, spec};
use serde_json::json;

/// A machine of its own: another home, no token in its environment.
fn command(machine: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = machine.program("openclaw-worker");
    command.args(arguments).stdin(Stdio::null());
    command
}

fn call(machine: &Sandbox, arguments: &[&str]) -> Answer {
    Answer::from(
        command(machine, arguments)
            .output()
            .expect("openclaw-worker starts"),
    )
}

fn tokens_in(dir: &Path, token: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let text = || std::fs::read_to_string(&path).unwrap_or_default();
        if path.is_dir() {
            tokens_in(&path, token)
        } else {
            text().contains(token)
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_joins_runs_tasks_and_leaves() {
    let cluster = Cluster::builder().start().await;
    let (address, token) = (cluster.coordinator.address(), cluster.coordinator.token());
    let machine = Sandbox::new();

    let wrong = call(
        &machine,
        &["join", &address, "oc_admin_wrong", "--node-id", "macbook"],
    );
    assert_eq!(wrong.code, Some(77), "{wrong:?}");
    assert!(wrong.err.contains("token"), "{wrong:?}");

    let joined = call(
        &machine,
        &["join", &address, &token, "--node-id", "macbook"],
    )
    .expect(0);
    assert!(
        joined.out.contains("joined cluster") && joined.out.contains("macbook"),
        "{joined:?}"
    );

    let mut worker = command(&machine, &["--node-id", "macbook"]);
    worker.env("OPENCLAW__LOG__FORMAT", "text");
    let mut worker = Process::start("joined worker", worker, &machine.path().join("console"));
    let client = cluster.client();
    client.online("macbook").await;
    let id = client
        .submit_one(spec("echo", &json!({"from": "macbook"})))
        .await;
    let task = client.wait(&id, Duration::from_secs(20)).await;
    assert_eq!(
        (task.status(), task.assigned_node.as_str()),
        (TaskStatus::Completed, "macbook")
    );
    assert!(
        worker.end(Duration::from_secs(45)).await.success(),
        "{}",
        worker.console()
    );

    call(&machine, &["leave", "--node-id", "macbook"]).expect(0);
    assert!(
        !tokens_in(machine.path(), &token),
        "the token is still on the machine that left"
    );
    assert_eq!(machine.leftovers(), Vec::<String>::new());
    cluster.end().await;
}
