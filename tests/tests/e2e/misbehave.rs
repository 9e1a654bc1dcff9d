//! Skills that misbehave: each has a clear end, harms nobody else, and leaves nothing behind.

use std::time::Duration;

use openclaw_proto::v1::{InputFile, NodeStatus, Task, TaskSpec, TaskStatus, input_file};
use openclaw_tests::harness::{Client, Cluster, Settings, spec, until, until_within};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(90);

async fn cluster() -> Cluster {
    Cluster::builder()
        .settings(&Settings::short_leases())
        .worker(
            "one",
            Settings::default(),
            &[("behave", "behave"), ("vanish", "vanish")],
        )
        .start()
        .await
}

fn behave(how: &str) -> TaskSpec {
    TaskSpec {
        max_retries: Some(0),
        ..spec("behave", &json!({"how": how}))
    }
}

async fn run(client: &Client, task: TaskSpec) -> Task {
    let id = client.submit_one(task).await;
    client.wait(&id, LIMIT).await
}

fn code(task: &Task) -> &str {
    task.error.as_ref().map_or("", |error| error.code.as_str())
}

fn result(task: &Task) -> Value {
    serde_json::from_str(&task.result).unwrap_or_else(|error| panic!("no JSON ({error}): {task:?}"))
}

/// The node works as before.
async fn unharmed(client: &Client) {
    let node = client.node("one").await.expect("known");
    assert!(
        matches!(node.status(), NodeStatus::Online | NodeStatus::Busy),
        "{node:?}"
    );
    let task = run(client, spec("echo", &json!({"still": "here"}))).await;
    assert_eq!(task.status(), TaskStatus::Completed, "{task:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_of_output_is_cut_and_hurts_nobody() {
    let cluster = cluster().await;
    let client = cluster.client();
    let task = run(&client, behave("flood")).await;
    assert_eq!(
        (task.status(), task.attempt),
        (TaskStatus::Completed, 1),
        "{task:?}"
    );
    let size = task.result.len();
    assert!(
        (1..=1024 * 1024).contains(&size),
        "the result has {size} bytes"
    );
    assert_eq!(
        task.infra_losses, 0,
        "its node was taken for lost meanwhile"
    );
    unharmed(&client).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_would_outlive_their_task_are_ended_with_it() {
    let cluster = cluster().await;
    let client = cluster.client();
    let task = run(&client, behave("fork")).await;
    assert_eq!(task.status(), TaskStatus::Completed, "{task:?}");
    let sleeps = || {
        cluster
            .sandbox
            .leftovers()
            .into_iter()
            .filter(|line| line.contains("sleep 1000"))
            .count()
    };
    assert_eq!(sleeps(), 0, "the slot was free before its tree was gone");
    unharmed(&client).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_deaf_to_requests_is_killed_after_the_grace() {
    let cluster = cluster().await;
    let client = cluster.client();
    let timeout = prost_types::Duration {
        seconds: 1,
        nanos: 0,
    };
    let task = run(
        &client,
        TaskSpec {
            timeout: Some(timeout),
            ..behave("stubborn")
        },
    )
    .await;
    assert_eq!(
        (task.status(), code(&task)),
        (TaskStatus::Timeout, "TIMEOUT"),
        "{task:?}"
    );
    unharmed(&client).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_left_behind_is_found_and_ended() {
    let cluster = cluster().await;
    let client = cluster.client();
    let task = run(&client, behave("daemon")).await;
    assert_eq!(task.status(), TaskStatus::Completed, "{task:?}");
    until_within(
        Duration::from_secs(10),
        "the daemon to be gone",
        async || {
            let daemons = cluster
                .sandbox
                .leftovers()
                .into_iter()
                .filter(|line| line.contains("sleep 1000"))
                .count();
            (daemons == 0).then_some(())
        },
    )
    .await;
    unharmed(&client).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_line_is_kept_as_text_and_a_bad_result_fails() {
    let cluster = cluster().await;
    let client = cluster.client();
    let half = run(&client, behave("half")).await;
    assert_eq!(half.status(), TaskStatus::Completed, "{half:?}");
    assert_eq!(result(&half), json!({"stdout": "{\"half\": tr"}));

    let garbage = run(&client, behave("garbage")).await;
    assert_eq!(
        (garbage.status(), code(&garbage)),
        (TaskStatus::Failed, "OUTPUT"),
        "{garbage:?}"
    );

    let wrong = run(&client, behave("nonsense")).await;
    assert_eq!(
        (wrong.status(), code(&wrong)),
        (TaskStatus::Failed, "EXIT"),
        "{wrong:?}"
    );
    let error = wrong.error.unwrap_or_default();
    assert_eq!(error.exit_code, Some(64));
    assert!(
        error.stderr_tail.contains("no such behaviour: nonsense"),
        "{error:?}"
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_well_behaved_one_gets_its_input_and_gives_its_output() {
    let cluster = cluster().await;
    let client = cluster.client();
    let content = Some(input_file::Content::Inline(b"claws".to_vec().into()));
    let input = InputFile {
        name: "in.txt".to_owned(),
        content,
    };
    let task = run(
        &client,
        TaskSpec {
            inputs: vec![input],
            ..behave("well")
        },
    )
    .await;
    assert_eq!(result(&task), json!({"well": true}));
    let output = task.outputs.first().expect("an output");
    assert_eq!((output.name.as_str(), output.size), ("copy.txt", 5));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_vanished_is_named_and_the_task_waits_for_another_node() {
    let cluster = cluster().await;
    let client = cluster.client();
    let there = run(&client, spec("vanish", &json!({}))).await;
    assert_eq!(there.status(), TaskStatus::Completed, "{there:?}");

    std::fs::remove_file(cluster.workers[0].skills().join("vanish/tool")).expect("it was there");
    let id = client.submit_one(spec("vanish", &json!({}))).await;
    let task = until("the task to be refused by the node", async || {
        let task = client.get(&id).await.ok()?;
        let reason = task.reason.clone().unwrap_or_default();
        (task.status() == TaskStatus::Pending && reason.code == "SKILL_INELIGIBLE").then_some(task)
    })
    .await;
    let detail = task.reason.unwrap_or_default().detail;
    assert!(
        detail.contains("tool") || detail.contains("one"),
        "it does not say what is missing, or where: {detail}"
    );
    unharmed(&client).await;
    client.cancel(&id).await.expect("cancelled");
    cluster.end().await;
}
