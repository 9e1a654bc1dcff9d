//! `run` to every end it can have.

use openclaw_proto::v1;
use openclaw_proto::v1::TaskStatus::{Pending, Running, Scheduled};
use serde_json::json;
use tonic::Status;

use crate::fake::{Call, Fake, ID, Script, Step, failed, final_task, reason, state, task};
use crate::program::{Home, finish};

fn accepted() -> Step {
    Step::Accept(Scheduled)
}

fn ended(task: v1::Task) -> Step {
    Step::Task(Box::new(task))
}

fn running() -> Step {
    Step::State(state(ID, Running, "RUNNING", ""))
}

#[tokio::test]
async fn a_completed_run_prints_its_result_and_writes_its_files() {
    let fake =
        Fake::start(Script::default().run([accepted(), running(), ended(final_task(ID))])).await;
    let home = fake.home();
    let ran = home.run(&["run", "echo", "--param", "text=hi"]).await;
    ran.expect(0)
        .says(&format!("{ID} completed on fake-node in 0.08 s"));
    assert_eq!(ran.json(), json!({"words": 1874}));
    let file = home.path().join("outputs").join(ID).join("notes/a.txt");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "hello");
}

#[tokio::test]
async fn what_is_sent_is_what_the_flags_say() {
    let fake = Fake::start(Script::default().run([accepted(), ended(final_task(ID))])).await;
    let home = fake.home();
    std::fs::write(home.path().join("talk.txt"), "words").unwrap();
    let line = [
        "run",
        "echo",
        "-p",
        "n=3",
        "-i",
        "x=talk.txt",
        "--node",
        "pc",
        "--timeout",
        "5m",
        "--output-dir",
        "out",
    ];
    home.run(&line).await.expect(0);
    let Some(Call::Run(spec)) = fake.script.calls().into_iter().next() else {
        panic!("no run")
    };
    assert_eq!(spec.parameters, r#"{"n":3}"#);
    assert_eq!(spec.inputs[0].name, "x");
    assert_eq!(
        spec.inputs[0].content,
        Some(v1::input_file::Content::Inline(b"words".as_slice().into()))
    );
    assert_eq!(
        (spec.node.as_str(), spec.timeout.unwrap().seconds),
        ("pc", 300)
    );
    assert!(spec.idempotency_key.starts_with("cli-"));
    assert!(home.path().join("out/notes/a.txt").exists());
}

#[tokio::test]
async fn json_is_one_document_with_the_whole_task() {
    let fake = Fake::start(Script::default().run([accepted(), ended(final_task(ID))])).await;
    let ran = fake
        .home()
        .run(&["run", "echo", "--json", "--wait", "9s"])
        .await;
    let task = ran.expect(0).json();
    assert_eq!(task["task_id"], ID);
    assert_eq!(
        (&task["status"], &task["result"]["words"]),
        (&json!("completed"), &json!(1874))
    );
    assert!(
        task["outputs"][0]["path"]
            .as_str()
            .unwrap()
            .ends_with("a.txt")
    );
    assert_eq!(ran.stderr, "", "programs often read both streams as one");
}

#[tokio::test]
async fn a_failed_run_names_task_attempt_node_cause_and_the_commands_for_more() {
    let fake =
        Fake::start(Script::default().run([accepted(), ended(failed(ID, "EXIT", Some(42)))])).await;
    let home = fake.home();
    let ran = home.run(&["run", "echo"]).await;
    ran.expect(1)
        .says(&format!("{ID} failed on fake-node in 0.08 s (attempt 4)"))
        .says("EXIT: exited with 42")
        .says("| no such file: talk.txt")
        .says(&format!("openclaw-cluster task logs {ID}"))
        .says("openclaw-cluster node info fake-node");
    assert_eq!(ran.stdout, "");
    home.run(&["run", "echo", "--propagate-exit"])
        .await
        .expect(42);
    let error = home.run(&["run", "echo", "--json"]).await.expect(1).json();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["exit_code"]),
        (&json!("EXIT"), &json!(42))
    );
    assert!(
        error["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("task logs")
    );
}

#[tokio::test]
async fn each_end_has_its_exit_code() {
    let lost = failed(ID, "LOST", None);
    let cancelled = task(ID, v1::TaskStatus::Cancelled);
    let timeout = task(ID, v1::TaskStatus::Timeout);
    for (end, code) in [(lost, 6), (cancelled, 5), (timeout, 1)] {
        let fake = Fake::start(Script::default().run([accepted(), ended(end)])).await;
        fake.home().run(&["run", "echo"]).await.expect(code);
    }
}

#[tokio::test]
async fn past_the_wait_the_task_goes_on_and_says_how_to_come_back() {
    let fake = Fake::start(Script::default().run([accepted(), running(), Step::Hang])).await;
    let home = fake.home();
    let ran = home
        .run(&["run", "echo", "--wait", "300ms", "-o", "json"])
        .await;
    assert_eq!(
        ran.expect(4).json(),
        json!({"task_id": ID, "status": "running"})
    );
    let ran = home.run(&["run", "echo", "--wait", "300ms"]).await;
    ran.expect(4)
        .says(&format!("openclaw-cluster task wait {ID}"));
    assert!(
        !fake
            .script
            .calls()
            .iter()
            .any(|call| matches!(call, Call::Cancel(_)))
    );
}

#[tokio::test]
async fn a_task_that_waits_says_why_and_that_it_stays() {
    let waits = state(
        ID,
        Pending,
        "NO_NODE_WITH_SKILL",
        "no online node has skill whisper",
    );
    let fake =
        Fake::start(Script::default().run([Step::Accept(Pending), Step::State(waits), Step::Hang]))
            .await;
    let ran = fake.home().run(&["run", "whisper", "--wait", "1s"]).await;
    ran.expect(4)
        .says("waiting: no online node has skill whisper")
        .says(&format!("stays queued as {ID}"));
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_again_by_id_and_said_once() {
    let script = Script::default()
        .run([
            accepted(),
            running(),
            Step::Break(Status::unknown("h2 protocol error")),
        ])
        .watch([Step::Break(Status::unavailable("restarting"))])
        .watch([
            Step::State(state(ID, Running, "RUNNING", "")),
            Step::Break(Status::unknown("again")),
        ])
        .watch([Step::State(state(ID, v1::TaskStatus::Completed, "OK", ""))])
        .task(final_task(ID));
    let fake = Fake::start(script).await;
    let ran = fake.home().run(&["run", "echo"]).await;
    ran.expect(0).says("completed on fake-node");
    assert_eq!(
        ran.stderr.matches("lost the connection").count(),
        1,
        "{ran:?}"
    );
    let calls = fake.script.calls();
    assert_eq!(
        calls
            .iter()
            .filter(|call| matches!(call, Call::Run(_)))
            .count(),
        1,
        "{calls:?}"
    );
    assert_eq!(
        calls
            .iter()
            .filter(|call| matches!(call, Call::Watch(ids) if ids == &[ID]))
            .count(),
        3,
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_coordinator_that_restarts_under_a_run_loses_nothing() {
    let script = Script::default()
        .run([accepted(), running(), Step::Hang])
        .watch([Step::State(state(ID, v1::TaskStatus::Completed, "OK", ""))])
        .task(final_task(ID));
    let fake = Fake::start(script).await;
    let home = fake.home();
    let child = home.command(&["run", "echo"]).spawn().unwrap();
    fake.called(|call| matches!(call, Call::Run(_))).await;
    fake.acceptance_reached(&home).await;
    let (addr, script) = fake.kill().await;
    let _again = Fake::start_at(addr, script).await;
    let ran = finish(child).await;
    ran.expect(0)
        .says("lost the connection")
        .says("completed on fake-node");
}

#[tokio::test]
async fn a_break_before_the_acceptance_sends_the_same_task_again() {
    let mut unknown = tonic_types::ErrorDetails::new();
    unknown.set_error_info("UNAVAILABLE", "openclaw.cluster", []);
    let reopening = <Status as tonic_types::StatusExt>::with_error_details(
        tonic::Code::Unavailable,
        "the store is being reopened",
        unknown,
    );
    let script = Script::default()
        .run([Step::Break(reopening)])
        .run([accepted(), ended(final_task(ID))]);
    let fake = Fake::start(script).await;
    fake.home().run(&["run", "echo"]).await.expect(0);
    let keys: Vec<String> = fake
        .script
        .calls()
        .into_iter()
        .filter_map(|call| {
            if let Call::Run(spec) = call {
                Some(spec.idempotency_key)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "the key makes the second one harmless");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_stops_watching_and_never_the_work() {
    use rustix::process::{Pid, Signal, kill_process};
    let fake = Fake::start(Script::default().run([accepted(), running(), Step::Hang])).await;
    let home = fake.home();
    let child = home.command(&["run", "echo"]).spawn().unwrap();
    fake.called(|call| matches!(call, Call::Run(_))).await;
    fake.acceptance_reached(&home).await;
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ran = finish(child).await;
    ran.expect(130)
        .says("goes on")
        .says(&format!("openclaw-cluster task wait {ID}"));
    assert!(
        !fake
            .script
            .calls()
            .iter()
            .any(|call| matches!(call, Call::Cancel(_)))
    );
}

fn nobody_can(script: Script) -> Script {
    let verdict = v1::NodeVerdict {
        node_id: "pc".to_owned(),
        eligible: false,
        reasons: vec![reason("SKILL_INELIGIBLE", "missing program whisper")],
    };
    let explained = v1::ExplainTaskResponse {
        state: Some(state(
            ID,
            Pending,
            "NO_NODE_WITH_SKILL",
            "no online node has skill whisper",
        )),
        nodes: vec![verdict],
        ..v1::ExplainTaskResponse::default()
    };
    Script {
        explained: Some(explained),
        ..script
    }
}

#[tokio::test]
async fn what_cannot_be_placed_fails_when_asked_to_and_leaves_nothing_queued() {
    let fake = Fake::start(nobody_can(
        Script::default().run([Step::Accept(Pending), Step::Hang]),
    ))
    .await;
    let ran = fake
        .home()
        .run(&["run", "whisper", "--fail-if-unplaceable", "--json"])
        .await;
    let error = ran.expect(3).json();
    assert_eq!(error["error"]["code"], "UNPLACEABLE");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("pc: missing program whisper"),
        "{error}"
    );
    assert!(
        fake.script
            .calls()
            .iter()
            .any(|call| matches!(call, Call::Cancel(id) if id == ID))
    );
}

#[tokio::test]
async fn a_daemon_is_left_when_it_runs() {
    let fake = Fake::start(Script::default().run([accepted(), running(), Step::Hang])).await;
    let ran = fake.home().run(&["run", "echo", "--type", "daemon"]).await;
    ran.expect(0)
        .says("running on fake-node")
        .says(&format!("openclaw-cluster task cancel {ID}"));
}

#[tokio::test]
async fn a_detached_run_prints_the_id_alone() {
    let fake = Fake::start(Script::default()).await;
    let home = fake.home();
    let ran = home.run(&["run", "echo", "--detach"]).await;
    assert_eq!(ran.expect(0).stdout, format!("{ID}\n"));
    let ran = home.run(&["run", "echo", "--detach", "--json"]).await;
    assert_eq!(
        ran.expect(0).json(),
        json!({"task_id": ID, "status": "pending", "existing": false})
    );
}

#[tokio::test]
async fn a_command_prints_what_it_printed() {
    let mut end = v1::Task {
        result: r#"{"stdout":"Linux\n"}"#.to_owned(),
        ..task(ID, v1::TaskStatus::Completed)
    };
    if let Some(spec) = &mut end.spec {
        spec.skill.clear();
        spec.command = vec!["uname".to_owned()];
    }
    let fake = Fake::start(Script::default().run([accepted(), ended(end)])).await;
    let ran = fake.home().run(&["run", "--", "uname"]).await;
    assert_eq!(ran.expect(0).stdout, "Linux\n");
    let Some(Call::Run(spec)) = fake.script.calls().into_iter().next() else {
        panic!("no run")
    };
    assert_eq!(
        (spec.skill.as_str(), spec.command.as_slice()),
        ("", ["uname".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn an_output_that_would_leave_the_folder_is_refused_and_the_result_still_printed() {
    let mut end = final_task(ID);
    end.outputs[0].name = "../../escaped.txt".to_owned();
    let fake = Fake::start(Script::default().run([accepted(), ended(end)])).await;
    let home = fake.home();
    let ran = home.run(&["run", "echo"]).await;
    ran.expect(1)
        .says("leads out of the output folder")
        .prints("1874");
    let task = home.run(&["run", "echo", "--json"]).await.expect(1).json();
    let told = (&task["status"], &task["error"]["code"]);
    assert_eq!(told, (&json!("completed"), &json!("OUTPUT")));
    assert!(!home.path().parent().unwrap().join("escaped.txt").exists());
}

#[tokio::test]
async fn wrong_usage_is_told_in_the_format_asked_for() {
    let home = Home::new(None);
    home.run(&["run"]).await.expect(2).says("Usage:");
    let error = home.run(&["run", "--json"]).await.expect(2).json();
    assert_eq!(error["error"]["code"], "USAGE");
    let error = home
        .run(&["run", "x", "-i", "/no/such/file", "-o", "json"])
        .await
        .expect(2)
        .json();
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("/no/such/file"),
        "{error}"
    );
}
