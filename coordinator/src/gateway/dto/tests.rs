//! What clients may write, what they are told when it is wrong, and what they read.

use openclaw_common::status::{
    NodeStatus, OnLost, OnSleep, Priority, RetryOn, Strategy, TaskStatus, TaskType,
};
use openclaw_common::time::Wall;
use openclaw_proto::v1;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::words::nearest;
use super::*;
use crate::gateway::problem::Problem;

fn one(body: &str) -> v1::TaskSpec {
    let mut read = submission(body.as_bytes(), 64, 100).unwrap();
    assert!(!read.batch);
    read.tasks.remove(0)
}

fn refused(body: &str) -> (u16, Value) {
    let problem = submission(body.as_bytes(), 64, 3).unwrap_err();
    (problem.http_status().as_u16(), shown(&problem))
}

fn shown(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.document("r1")).unwrap()
}

#[test]
fn every_documented_field_is_read() {
    let spec = one(r#"{
        "task_id": "task_01ARZ3NDEKTSV4RRFFQ69G5FAV", "skill": "echo", "name": "n", "description": "d",
        "task_type": "compute_intensive", "priority": "high", "parameters": {"big": 123456789012345678901234567890},
        "inputs": [{"name": "a.txt", "text": "hé"}, {"name": "b", "content_base64": "AAH/"}],
        "env": {"A": "1"}, "required_skills": ["echo"], "optional_skills": [], "required_tags": ["gpu"],
        "affinity_tags": ["fast"], "node": "mac", "strategy": "best_fit",
        "resources": {"cpus": 1.5, "memory_bytes": 7, "gpus": 1, "custom": {"licence": 2}},
        "timeout": 1.5, "queue_timeout": "2m", "progress_timeout": "10", "max_retries": 0,
        "retry": {"backoff": "500ms", "cap": 9, "retry_on": ["exit", "output"], "no_retry_on": [3]},
        "on_lost": "fail", "on_sleep": "requeue", "keep_awake": true, "not_before": "2030-01-31T13:00:00+01:00",
        "ttl": "1day", "user_id": "ada", "idempotency_key": "k", "batch_id": "b", "metadata": {"a": null},
        "parent": null, "retry_of": null
    }"#);
    assert_eq!(
        spec.parameters,
        r#"{"big": 123456789012345678901234567890}"#
    );
    assert_eq!(spec.task_type(), v1::TaskType::ComputeIntensive);
    assert_eq!(spec.priority(), v1::TaskPriority::High);
    assert_eq!(
        (spec.strategy(), spec.on_lost(), spec.on_sleep()),
        (
            v1::Strategy::BestFit,
            v1::OnLost::Fail,
            v1::OnSleep::Requeue
        )
    );
    let contents: Vec<_> = spec
        .inputs
        .iter()
        .map(|input| input.content.clone())
        .collect();
    let inline = |bytes: &'static [u8]| Some(v1::input_file::Content::Inline(bytes.into()));
    assert_eq!(contents, [inline("hé".as_bytes()), inline(&[0, 1, 255])]);
    let resources = spec.resources.unwrap();
    assert_eq!(
        (resources.cpu_milli, resources.custom["licence"]),
        (1500, 2)
    );
    let span = |span: Option<prost_types::Duration>| span.map(|span| (span.seconds, span.nanos));
    assert_eq!(span(spec.timeout), Some((1, 500_000_000)));
    assert_eq!(
        (span(spec.queue_timeout), span(spec.progress_timeout)),
        (Some((120, 0)), Some((10, 0)))
    );
    let retry = spec.retry.unwrap();
    assert_eq!(
        (span(retry.backoff), span(retry.cap)),
        (Some((0, 500_000_000)), Some((9, 0)))
    );
    assert_eq!(
        retry.retry_on,
        [v1::RetryOn::Exit as i32, v1::RetryOn::Output as i32]
    );
    assert_eq!(spec.max_retries, Some(0));
    assert_eq!(spec.not_before.unwrap().seconds, 1_896_091_200);
    assert_eq!(spec.metadata, r#"{"a": null}"#);
}

#[test]
fn a_priority_may_be_the_number_that_older_clients_send() {
    let levels: Vec<_> = (0..4)
        .map(|level| one(&format!(r#"{{"priority": {level}}}"#)).priority())
        .collect();
    assert_eq!(
        levels,
        [
            v1::TaskPriority::Critical,
            v1::TaskPriority::High,
            v1::TaskPriority::Normal,
            v1::TaskPriority::Low
        ]
    );
    let (_, problem) = refused(r#"{"priority": 4}"#);
    assert_eq!(
        problem["detail"],
        "priority: 4 is not a priority; use 0 (critical) to 3 (low), or the word"
    );
}

#[test]
fn one_task_a_list_and_an_object_with_a_list_are_told_apart() {
    let read = |body: &str| {
        let read = submission(body.as_bytes(), 64, 100).unwrap();
        (read.tasks.len(), read.batch, read.key)
    };
    assert_eq!(read(r#"{"skill": "echo"}"#), (1, false, String::new()));
    assert_eq!(read(r#"[{"skill": "echo"}]"#), (1, true, String::new()));
    assert_eq!(
        read(r#"{"tasks": [{"skill": "a"}, {"skill": "b"}], "idempotency_key": "k"}"#),
        (2, true, "k".to_owned())
    );
    assert_eq!(read("[]"), (0, true, String::new()));
}

#[test]
fn an_unknown_field_is_named_with_the_nearest_known_one() {
    let (status, problem) = refused("{\"skill\": \"echo\",\n  \"timout\": 5}");
    assert_eq!(status, 422);
    assert_eq!(
        problem["detail"],
        "timout: unknown field `timout`; did you mean `timeout`?"
    );
    assert_eq!(
        (&problem["field"], &problem["line"]),
        (&json!("timout"), &json!(2))
    );
    let (_, problem) = refused(r#"{"skill": "echo", "params": {}}"#);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean `parameters`?"),
        "{problem}"
    );
    let (_, problem) = refused(r#"{"tasks": [], "priority": 1}"#);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("field beside `tasks` `priority`"),
        "{problem}"
    );
    let (_, problem) = refused(r#"{"status": "completed"}"#);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("known are: task_id, skill"),
        "{problem}"
    );
}

#[test]
fn a_mistake_inside_is_found_by_task_field_and_place() {
    let (status, problem) = refused(
        "{\"tasks\": [{\"skill\": \"a\"},\n {\"skill\": \"b\", \"retry\": {\"backoff\": -1}}]}",
    );
    assert_eq!(status, 422);
    let expected = "tasks[1]: retry.backoff: -1 is no span of time; write a number of seconds that is not negative";
    assert_eq!(problem["detail"], expected);
    assert_eq!(
        (&problem["index"], &problem["line"], &problem["column"]),
        (&json!(1), &json!(2), &json!(38))
    );
    let table = [
        (r#"{"skill": 5}"#, "skill: expected text, found a number"),
        (
            r#"{"inputs": [{"name": "a", "text": "x"}, {"name": "b"}]}"#,
            "inputs[1]: a file needs its content",
        ),
        (
            r#"{"inputs": [{"name": "a", "path": "/etc/passwd"}]}"#,
            "inputs[0].path: unknown field `path`",
        ),
        (
            r#"{"inputs": [{"name": "a", "content_base64": "?"}]}"#,
            "inputs[0].content_base64: not base64",
        ),
        (
            r#"{"inputs": [{"text": "a", "content_base64": "AA=="}]}"#,
            "inputs[0].content_base64: give the content once",
        ),
        (
            r#"{"parameters": [1]}"#,
            "parameters: must be a JSON object",
        ),
        (
            r#"{"strategy": "fast"}"#,
            "strategy: `fast` is not a strategy; use one of: round_robin",
        ),
        (
            r#"{"resources": {"cpus": -1}}"#,
            "resources.cpus: expected a number of processors",
        ),
        (
            r#"{"timeout": "soon"}"#,
            "timeout: `soon` is no span of time",
        ),
        (
            r#"{"not_before": "tomorrow"}"#,
            "not_before: `tomorrow` is no time",
        ),
        (
            r#"{"max_retries": -1}"#,
            "max_retries: expected a whole number from 0",
        ),
        (
            r#"{"env": {"A": 1}}"#,
            "env: expected an object whose values are text",
        ),
        (
            r#"{"skill": "a", "skill": "b"}"#,
            "the field `skill` stands twice",
        ),
        (
            r"[{}, {}, {}, {}]",
            "tasks: 4 tasks are over the limit of 3",
        ),
        (r#""text""#, "expected an object, found text"),
        (r#"{"timeout": 1e300}"#, "timeout: "),
    ];
    for (body, expected) in table {
        let (status, problem) = refused(body);
        assert_eq!(status, 422, "{body}");
        assert!(
            problem["detail"].as_str().unwrap().contains(expected),
            "{body}: {problem}"
        );
    }
}

#[test]
fn what_is_no_json_is_answered_with_its_place() {
    let (status, problem) = refused("{\"skill\": \"echo\",\n\"x\" 1}");
    assert_eq!(status, 400);
    assert_eq!(
        (&problem["line"], &problem["column"]),
        (&json!(2), &json!(5))
    );
    assert_eq!(problem["code"], "MALFORMED_JSON");
    for body in ["", "{", "nonsense", "{} {}", "{\"a\": NaN}", "\u{feff}{}"] {
        assert_eq!(refused(body).0, 400, "{body}");
    }
    let problem = submission(b"{\"a\":\n \"\xff\"}", 64, 3).unwrap_err();
    assert_eq!(shown(&problem)["line"], 2);
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |levels: usize| {
        format!(
            "{{\"skill\": \"echo\", \"parameters\": {}{}}}",
            "{\"a\":".repeat(levels - 1) + "{}",
            "}".repeat(levels - 1)
        )
    };
    assert!(submission(nested(64).as_bytes(), 64, 3).is_ok());
    let (status, problem) = refused(&nested(67));
    assert_eq!(status, 422);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("nested too deeply"),
        "{problem}"
    );
    let (status, _) = refused(&"[".repeat(1_000_000));
    assert_eq!(status, 422);
    assert!(
        submission(br#"{"name": "[[[[\"[[[["}"#, 0, 3).is_ok(),
        "brackets in texts don't count"
    );
}

#[test]
fn every_word_has_its_place_on_the_wire_both_ways() {
    macro_rules! round_trip {
        ($($words:ident, $wire:ident, $prefix:literal, $out:path;)+) => {$(
            for word in $words::ALL {
                let wire = words::to_wire::<$words, _>(word.as_str(), $prefix, v1::$wire::from_str_name).unwrap();
                assert_eq!($out(wire).as_deref(), Some(word.as_str()));
            }
            assert_eq!($out(0), None);
            assert_eq!($out(999), None);
        )+};
    }
    round_trip! {
        TaskStatus, TaskStatus, "TASK_STATUS_", words::task_status;
        TaskType, TaskType, "TASK_TYPE_", words::task_type;
        Priority, TaskPriority, "TASK_PRIORITY_", words::priority;
        Strategy, Strategy, "STRATEGY_", words::strategy;
        OnLost, OnLost, "ON_LOST_", words::on_lost;
        OnSleep, OnSleep, "ON_SLEEP_", words::on_sleep;
        RetryOn, RetryOn, "RETRY_ON_", words::retry_on;
        NodeStatus, NodeStatus, "NODE_STATUS_", words::node_status;
    }
    assert_eq!(
        words::executor(v1::SkillExecutor::Builtin as i32).as_deref(),
        Some("builtin")
    );
}

#[test]
fn times_and_spans_are_read_as_people_write_them() {
    assert_eq!(stamp(Wall(1_896_091_200_007)), "2030-01-31T12:00:00.007Z");
    assert_eq!(
        stamp(Wall(u64::MAX)),
        "1970-01-01T00:00:00.000Z",
        "nonsense does not panic"
    );
    let millis = |text: &str| parse_span(text).map(|span| span.as_millis());
    assert_eq!(
        (millis("30"), millis("1m 30s"), millis("0.25"), millis("0")),
        (Ok(30_000), Ok(90_000), Ok(250), Ok(0))
    );
    for wrong in ["", "-1", "soon", "inf", "NaN", "1e400"] {
        assert!(parse_span(wrong).is_err(), "{wrong}");
    }
    assert!(parse_time("2030-01-31T12:00:00Z").is_ok() && parse_time("2030-01-31").is_err());
}

fn task() -> v1::Task {
    let spec = v1::TaskSpec {
        task_id: "task_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        skill: "echo".to_owned(),
        parameters: r#"{"n": 1.0}"#.to_owned(),
        timeout: Some(prost_types::Duration {
            seconds: 1,
            nanos: 500_000_000,
        }),
        user_id: "ada".to_owned(),
        priority: v1::TaskPriority::Low.into(),
        inputs: vec![v1::InputFile {
            name: "a".to_owned(),
            content: None,
        }],
        ..v1::TaskSpec::default()
    };
    v1::Task {
        spec: Some(spec),
        status: v1::TaskStatus::Completed.into(),
        submitted_at: Some(prost_types::Timestamp {
            seconds: 1_896_091_200,
            nanos: 7_000_000,
        }),
        result: "[1,  2]".to_owned(),
        outputs: vec![v1::OutputFile {
            name: "o".to_owned(),
            size: 2,
            content: Some(v1::output_file::Content::Inline(vec![0, 255].into())),
        }],
        ..v1::Task::default()
    }
}

#[test]
fn a_task_shows_the_names_that_clients_know() {
    let text = serde_json::to_string(&TaskOut::whole(task())).unwrap();
    assert!(
        text.contains(r#""parameters":{"n": 1.0}"#) && text.contains(r#""result":[1,  2]"#),
        "{text}"
    );
    let shown: Value = serde_json::from_str(&text).unwrap();
    for field in [
        "task_id",
        "task_type",
        "name",
        "description",
        "required_skills",
        "optional_skills",
        "status",
        "priority",
        "assigned_node",
        "submitted_at",
        "scheduled_at",
        "started_at",
        "completed_at",
        "parameters",
        "timeout",
        "retry_count",
        "max_retries",
        "user_id",
        "affinity_tags",
        "result",
        "error",
        "metadata",
    ] {
        assert!(shown.get(field).is_some(), "{field}");
    }
    assert_eq!(
        (&shown["status"], &shown["priority"], &shown["timeout"]),
        (&json!("completed"), &json!("low"), &json!(1.5))
    );
    assert_eq!(
        (&shown["submitted_at"], &shown["error"]),
        (&json!("2030-01-31T12:00:00.007Z"), &Value::Null)
    );
    assert_eq!(
        shown["outputs"],
        json!([{"name": "o", "size": 2, "content_base64": "AP8="}])
    );
    assert_eq!(shown["metadata"], json!({}), "left out");
    let brief = serde_json::to_value(TaskOut::brief(task())).unwrap();
    assert!(
        brief.get("parameters").is_none() && brief.get("result").is_none(),
        "{brief}"
    );
    let result = serde_json::to_value(ResultOut::from(task())).unwrap();
    assert_eq!(
        (&result["result"], &result["status"]),
        (&json!([1, 2]), &json!("completed"))
    );
}

#[test]
fn the_nearest_name_is_near() {
    let names = ["status", "skill", "node", "limit", "cursor"];
    assert_eq!(nearest("statsu", names), Some("status"));
    assert_eq!(nearest("skills", names), Some("skill"));
    assert_eq!(nearest("colour", names), None);
    let long = format!("status{}", "s".repeat(4 * 1024 * 1024));
    assert_eq!(nearest(&long, names), None, "and costs no time");
    assert!(
        known("parameter", "x\n", names).starts_with("unknown parameter `x`; known are: status")
    );
}

proptest! {
    #[test]
    fn no_body_can_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = submission(&body, 64, 3);
        let _ = reason(&body);
    }

    #[test]
    fn no_text_that_looks_like_a_task_can_make_the_reader_panic(
        name in "[a-z_]{1,12}",
        value in r#"(-?[0-9]{1,25}(\.[0-9]{1,5})?(e[0-9]{1,4})?|"[^"\\]{0,20}"|\[.{0,9}\]|\{.{0,9}\}|null|true)"#,
    ) {
        for field in [name.as_str(), "timeout", "not_before", "resources", "inputs", "retry", "priority"] {
            let _ = submission(format!("{{\"{field}\": {value}}}").as_bytes(), 64, 3);
        }
    }

    #[test]
    fn what_was_shown_as_a_time_or_span_is_read_again(at in 0..253_402_300_799_999_u64, span in 0..4_000_000_000_u64) {
        let read = parse_time(&stamp(Wall(at))).unwrap();
        let millis = read.seconds.unsigned_abs() * 1_000 + u64::from(read.nanos.unsigned_abs()) / 1_000_000;
        prop_assert_eq!(millis, at);
        let text = format!("{span}ms");
        prop_assert_eq!(u64::try_from(parse_span(&text).unwrap().as_millis()).unwrap(), span);
    }
}
