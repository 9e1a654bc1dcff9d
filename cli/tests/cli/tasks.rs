//! The nouns: tasks by prefix and `last`, logs, waits.

use openclaw_proto::v1;
use openclaw_proto::v1::TaskStatus::{Completed, Failed, Pending, Running};
use serde_json::json;
use tonic::Status;

use crate::fake::{Call, Fake, ID, OTHER, Script, Step, failed, final_task, state, task};

#[tokio::test]
async fn a_submit_prints_the_id_and_last_means_it() {
    let fake = Fake::start(Script::default().task(final_task(ID))).await;
    let home = fake.home();
    home.run(&["task", "info", "last"])
        .await
        .expect(7)
        .says("`last` is not known");
    let ran = home
        .run(&["task", "submit", "echo", "--param", "a=1"])
        .await;
    assert_eq!(ran.expect(0).stdout, format!("{ID}\n"));
    let Some(Call::Submit(spec)) = fake.script.calls().pop() else {
        panic!("no submit")
    };
    assert_eq!(spec.parameters, r#"{"a":1}"#);
    home.run(&["task", "info", "last"])
        .await
        .expect(0)
        .prints(&format!("{ID} completed on fake-node"));
    assert_eq!(
        home.run(&["task", "info", "last", "--json"]).await.json()["user_id"],
        "ada"
    );
}

#[tokio::test]
async fn a_prefix_finds_its_task_and_an_ambiguous_one_lists_them() {
    let fake = Fake::start(
        Script::default()
            .task(final_task(ID))
            .task(task(OTHER, Running)),
    )
    .await;
    let home = fake.home();
    home.run(&["task", "info", &ID[..ID.len() - 1]])
        .await
        .expect(2)
        .says(ID)
        .says(OTHER)
        .says("several ids");
    home.run(&["task", "info", "01JZZZ"])
        .await
        .expect(7)
        .says("no task's id begins with `01JZZZ`");
    let lower = OTHER.to_lowercase();
    home.run(&["task", "info", &lower])
        .await
        .expect(0)
        .prints("running");
    let unknown = "task_01ARZ3NDEKTSV4RRFFQ69G5FZZ";
    home.run(&["task", "info", unknown])
        .await
        .expect(7)
        .says(unknown)
        .says("next:  openclaw-cluster task list");
}

#[tokio::test]
async fn lists_come_in_pages_and_in_every_format() {
    let fake = Fake::start(
        Script::default()
            .task(final_task(ID))
            .task(failed(OTHER, "EXIT", Some(2)))
            .task(task("task_3", Running)),
    )
    .await;
    let home = fake.home();
    let ran = home.run(&["task", "list"]).await;
    assert_eq!(ran.expect(0).stdout.lines().count(), 4, "{ran:?}");
    ran.prints("TASK").prints("EXIT: exited with 42");
    assert_eq!(
        home.run(&["task", "list", "-q"]).await.stdout,
        format!("{ID}\n{OTHER}\ntask_3\n")
    );
    let all = home.run(&["task", "list", "--json"]).await.json();
    assert_eq!(
        (all.as_array().unwrap().len(), &all[1]["error"]["exit_code"]),
        (3, &json!(2))
    );
    let lines = home
        .run(&["task", "list", "-o", "jsonl", "--limit", "2"])
        .await
        .stdout;
    assert_eq!(lines.lines().count(), 2);
    home.run(&[
        "task",
        "list",
        "--status",
        "completed,failed",
        "--since",
        "24h",
        "--skill",
        "echo",
    ])
    .await
    .expect(0);
    let Some(Call::List(request)) = fake.script.calls().pop() else {
        panic!("no list")
    };
    assert_eq!(request.statuses, [Completed as i32, Failed as i32]);
    assert!(request.since.is_some() && request.skill == "echo");
}

#[tokio::test]
async fn ps_shows_what_is_alive_and_what_just_ended() {
    let mut old = final_task("task_old");
    old.completed_at = Some(prost_types::Timestamp {
        seconds: 1_000_000,
        nanos: 0,
    });
    let fake = Fake::start(
        Script::default()
            .task(task(ID, Running))
            .task(final_task(OTHER))
            .task(old),
    )
    .await;
    assert_eq!(
        fake.home().run(&["ps", "-q"]).await.expect(0).stdout,
        format!("{ID}\n{OTHER}\n")
    );
}

#[tokio::test]
async fn a_wait_ends_as_a_run_does() {
    let done = Step::State(state(ID, Completed, "OK", ""));
    let fake = Fake::start(Script::default().watch([done]).task(final_task(ID))).await;
    let ran = fake.home().run(&["task", "wait", ID, "--wait", "9s"]).await;
    assert_eq!(ran.expect(0).json(), json!({"words": 1874}));
    let fake =
        Fake::start(Script::default().watch([Step::State(state(ID, Running, "", "")), Step::Hang]))
            .await;
    let ran = fake
        .home()
        .run(&["task", "wait", ID, "--wait", "200ms", "--json"])
        .await;
    assert_eq!(
        ran.expect(4).json(),
        json!({"task_id": ID, "status": "running"})
    );
}

#[tokio::test]
async fn a_wait_for_several_ends_with_all_and_tells_the_worst() {
    let script = Script::default()
        .watch([
            Step::State(state(ID, Completed, "OK", "")),
            Step::Break(Status::unknown("broken")),
        ])
        .watch([Step::State(state(OTHER, Failed, "EXIT", ""))])
        .task(final_task(ID))
        .task(failed(OTHER, "EXIT", Some(1)));
    let fake = Fake::start(script).await;
    let ran = fake
        .home()
        .run(&["task", "wait", ID, OTHER, "--json"])
        .await;
    assert_eq!(ran.expect(1).json().as_array().unwrap().len(), 2);
    let watched: Vec<usize> = fake
        .script
        .calls()
        .iter()
        .filter_map(|call| {
            if let Call::Watch(ids) = call {
                Some(ids.len())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(watched, [2, 1], "what was final is not asked for again");
}

fn piece(stream: v1::LogStream, offset: u64, data: &'static str) -> Step {
    let chunk = v1::LogChunk {
        stream: stream as i32,
        offset,
        data: data.as_bytes().into(),
    };
    Step::Log(v1::GetTaskLogsResponse {
        attempt: 1,
        chunk: Some(chunk),
        complete: false,
    })
}

fn complete() -> Step {
    Step::Log(v1::GetTaskLogsResponse {
        attempt: 1,
        chunk: None,
        complete: true,
    })
}

#[tokio::test]
async fn logs_keep_their_streams_apart_and_survive_a_break() {
    use v1::LogStream::{Stderr, Stdout};
    let script = Script::default()
        .log([
            piece(Stdout, 0, "one "),
            piece(Stderr, 0, "warning\n"),
            Step::Break(Status::unknown("broken")),
        ])
        .log([
            piece(Stdout, 0, "one "),
            piece(Stderr, 0, "warning\n"),
            piece(Stdout, 4, "two\n"),
            piece(Stdout, 100, "late\n"),
            complete(),
        ]);
    let fake = Fake::start(script).await;
    let home = fake.home();
    let ran = home.run(&["task", "logs", ID, "--follow"]).await;
    assert_eq!(ran.expect(0).stdout, "one two\nlate\n");
    ran.says("warning\n")
        .says("92 bytes of stdout were not kept");
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{ran:?}");
    let document = home
        .run(&["task", "logs", ID, "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(
        (&document["stderr"], &document["complete"]),
        (&json!("warning\n"), &json!(true))
    );
}

#[tokio::test]
async fn a_cancel_says_what_became_of_the_task() {
    let fake = Fake::start(Script::default()).await;
    let home = fake.home();
    home.run(&["task", "cancel", ID, "--reason", "wrong"])
        .await
        .expect(0)
        .prints(&format!("{ID} cancelled"));
    assert_eq!(
        home.run(&["task", "cancel", ID, "--json"]).await.json()["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn an_explanation_is_one_line_a_node() {
    let verdict = v1::NodeVerdict {
        node_id: "main-mac".to_owned(),
        eligible: false,
        reasons: vec![crate::fake::reason(
            "SKILL_INELIGIBLE",
            "missing program whisper (pip install openai-whisper)",
        )],
    };
    let explained = v1::ExplainTaskResponse {
        state: Some(state(
            ID,
            Pending,
            "NO_NODE_WITH_SKILL",
            "no online node has skill whisper",
        )),
        since: Some(prost_types::Duration {
            seconds: 40,
            nanos: 0,
        }),
        needs: "skill whisper".to_owned(),
        nodes: vec![verdict],
    };
    let fake = Fake::start(Script {
        explained: Some(explained),
        ..Script::default()
    })
    .await;
    fake.home()
        .run(&["task", "explain", ID])
        .await
        .expect(0)
        .prints(&format!("{ID}  pending 40.0 s  ·  needs skill whisper"))
        .prints(
            "main-mac  no   SKILL_INELIGIBLE  missing program whisper (pip install openai-whisper)",
        );
}
