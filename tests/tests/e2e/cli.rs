//! The command line against a real cluster: results, files, exit codes, `last`, prefixes, JSON.

use std::time::Duration;

use openclaw_proto::v1::TaskStatus;
use openclaw_tests::harness::{Cluster, Process, Runs, Settings, Signal, project_dir, until};
use serde_json::json;

async fn cluster() -> Cluster {
    let skills = project_dir().join("skills");
    let shipped = Settings::default().with("worker.skills_dir", skills.to_str().unwrap());
    let own = [("append", "append"), ("behave", "behave")];
    Cluster::builder()
        .worker("shipped", shipped, &[])
        .worker("own", Settings::default(), &own)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skill_runs_on_a_file_and_its_files_come_back() {
    let cluster = cluster().await;
    let cli = cluster.cli();
    let file = cluster.sandbox.path().join("notes.txt");
    std::fs::write(&file, "one two two\nthree three three\n").unwrap();

    let answer = cli
        .call(&[
            "run",
            "text-stats",
            "--input",
            file.to_str().unwrap(),
            "--param",
            "top=1",
            "--wait",
            "60s",
        ])
        .await;
    let result = answer.json(0);
    assert_eq!(result["words"], 6);
    assert_eq!(result["top"], json!([{"word": "three", "count": 3}]));

    let input = format!("a.txt={}", file.display());
    let answer = cli
        .call(&[
            "run",
            "behave",
            "--param",
            "how=well",
            "--input",
            &input,
            "--output-dir",
            "out",
            "--wait",
            "60s",
        ])
        .await;
    assert_eq!(answer.json(0), json!({"well": true}));
    let copy = std::fs::read_to_string(cluster.sandbox.path().join("out/copy.txt")).unwrap();
    assert_eq!(copy, "one two two\nthree three three\n");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_say_how_it_ended() {
    let cluster = cluster().await;
    let cli = cluster.cli();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let append = |seconds: &str, exit: &str| {
        vec![
            "run".to_owned(),
            "append".to_owned(),
            "--max-retries".to_owned(),
            "0".to_owned(),
            "--params".to_owned(),
            json!({"file": runs.path(), "seconds": seconds, "exit": exit, "fail_before": "0"})
                .to_string(),
        ]
    };
    let call = async |mut arguments: Vec<String>, more: &[&str]| {
        arguments.extend(more.iter().map(|&text| text.to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        cli.call(&arguments).await
    };
    call(append("0", "0"), &[]).await.expect(0);
    let failed = call(append("0", "3"), &[]).await.expect(1);
    assert!(failed.err.contains("exit"), "{failed:?}");
    call(append("0", "3"), &["--propagate-exit"])
        .await
        .expect(3);
    cli.call(&["run"]).await.expect(2);
    cli.call(&["run", "no-such-skill", "--fail-if-unplaceable"])
        .await
        .expect(3);

    let waiting = call(append("600", "0"), &["--wait", "300ms", "--json"])
        .await
        .json(4);
    let id = waiting["task_id"].as_str().expect("an id").to_owned();
    cli.call(&["task", "wait", &id, "--wait", "100ms"])
        .await
        .expect(4);
    cli.call(&["task", "cancel", &id]).await.expect(0);
    cli.call(&["task", "wait", &id, "--wait", "30s"])
        .await
        .expect(5);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_named_by_prefix_and_by_last() {
    let cluster = cluster().await;
    let cli = cluster.cli();
    let id = cli
        .call(&["task", "submit", "echo", "--param", "text=hi", "-q"])
        .await
        .expect(0)
        .out
        .trim()
        .to_owned();
    assert!(id.starts_with("task_"), "{id}");
    cli.call(&["task", "wait", "last", "--wait", "30s"])
        .await
        .expect(0);
    let last = cli.call(&["task", "info", "last", "--json"]).await.json(0);
    let prefix = &id[..id.len() - 4];
    let by_prefix = cli.call(&["task", "info", prefix, "--json"]).await.json(0);
    let bare = cli
        .call(&["task", "info", prefix.trim_start_matches("task_"), "--json"])
        .await
        .json(0);
    for task in [&last, &by_prefix, &bare] {
        assert_eq!(task["task_id"], id.as_str());
        assert_eq!(
            (&task["status"], &task["skill"]),
            (&json!("completed"), &json!("echo"))
        );
    }
    cli.call(&["task", "info", "task_00"]).await.expect(7);

    let listed = cli.call(&["task", "list", "--json"]).await.json(0);
    let text = listed.to_string();
    assert!(text.contains(&id), "{text}");
    let nodes = cli.call(&["node", "list", "-q"]).await.expect(0).out;
    assert_eq!(nodes.lines().collect::<Vec<_>>(), ["own", "shipped"]);
    let skills = cli.call(&["skill", "list", "-q"]).await.expect(0).out;
    for skill in ["append", "behave", "echo", "text-stats"] {
        assert!(skills.lines().any(|line| line == skill), "{skills}");
    }
    let explained = cli
        .call(&["task", "submit", "no-such-skill", "-q"])
        .await
        .expect(0)
        .out;
    let text = cli
        .call(&["task", "explain", explained.trim()])
        .await
        .expect(0)
        .out;
    assert!(
        text.contains("NO_NODE_WITH_SKILL") || text.contains("no-such-skill"),
        "{text}"
    );
    cluster.end().await;
}

/// A `run` that watches a task of some seconds.
fn watching(cluster: &Cluster, runs: &Runs, seconds: &str) -> Process {
    let parameters =
        json!({"file": runs.path(), "seconds": seconds, "exit": "0", "fail_before": "0"});
    let cli = cluster.cli();
    let command = cli.command(&[
        "run",
        "append",
        "--params",
        &parameters.to_string(),
        "--json",
    ]);
    Process::start("run", command, &cluster.sandbox.path().join("run"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_a_task_outlives_the_death_of_the_coordinator() {
    let mut cluster = cluster().await;
    let runs = Runs::in_folder(cluster.sandbox.path());
    let mut run = watching(&cluster, &runs, "3");
    until("the task to run", async || {
        (!runs.lines().is_empty()).then_some(())
    })
    .await;
    cluster.coordinator.kill();
    cluster.start_coordinator().await;
    let status = run.wait(Duration::from_mins(1)).await;
    assert!(status.success(), "{status}:\n{}", run.console());
    assert!(run.console().contains("\"completed\""), "{}", run.console());
    assert_eq!(runs.lines().len(), 1);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_watching_and_not_the_work() {
    let cluster = cluster().await;
    let client = cluster.client();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let mut run = watching(&cluster, &runs, "2");
    until("the task to run", async || {
        (!runs.lines().is_empty()).then_some(())
    })
    .await;
    run.signal(Signal::INT);
    let status = run.wait(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(130), "{}", run.console());
    let id = runs.lines()[0].split(' ').next().unwrap().to_owned();
    let task = client.wait(&id, Duration::from_secs(30)).await;
    assert_eq!(task.status(), TaskStatus::Completed, "{task:?}");
    cluster.end().await;
}
