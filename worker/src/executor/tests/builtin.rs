//! Builtins keep the rules of processes.

use openclaw_common::status::Outcome;
use serde_json::json;

use super::super::{Builtin, Kill};
use super::*;

fn job(rig: &Rig, parameters: &serde_json::Value) -> Job {
    let mut job = rig.job();
    job.spec.parameters = parameters.to_string();
    job
}

#[tokio::test]
async fn echo_returns_its_parameters_at_once() {
    let rig = Rig::new();
    let job = job(&rig, &json!({"b": 1, "a": [null]}));
    let ended = rig
        .executor
        .run_builtin_now(Builtin::Echo, &job.spec)
        .unwrap();
    assert_eq!(
        (ended.outcome, ended.result.as_str()),
        (Outcome::Succeeded, "{\"b\":1,\"a\":[null]}")
    );
    assert_eq!(
        rig.run(job, Runnable::Builtin(Builtin::Echo)).await.ended,
        ended
    );
}

#[tokio::test]
async fn echo_is_fast_enough_for_thirty_thousand_tasks_a_second() {
    let rig = Rig::new();
    let job = job(&rig, &json!({"text": "hello"}));
    let began = Instant::now();
    for _ in 0..30_000 {
        rig.executor
            .run_builtin_now(Builtin::Echo, &job.spec)
            .unwrap();
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn sleep_tells_its_progress_and_how_long_it_slept() {
    let rig = Rig::new();
    assert!(
        rig.executor
            .run_builtin_now(Builtin::Sleep, &rig.job().spec)
            .is_none()
    );
    let ran = rig
        .run(
            job(&rig, &json!({"ms": 30})),
            Runnable::Builtin(Builtin::Sleep),
        )
        .await;
    assert_eq!(ran.result(), json!({"slept_ms": 30}));
}

#[tokio::test]
async fn sleep_ends_when_asked_and_at_its_limits() {
    let rig = Rig::new();
    let mut running = rig.start(
        job(&rig, &json!({"seconds": 600})),
        Runnable::Builtin(Builtin::Sleep),
    );
    running.started().await;
    assert!(
        matches!(running.next().await, Event::Progress { percent: Some(percent), .. } if percent < 1.0)
    );
    running.handle.kill(Kill::Asked);
    assert_eq!(running.end().await.ended.outcome, Outcome::Killed);
    let mut limited = job(&rig, &json!({"seconds": 600}));
    limited.spec.timeout = Some(Duration::from_millis(50));
    let ran = rig.run(limited, Runnable::Builtin(Builtin::Sleep)).await;
    assert_eq!(ran.ended.outcome, Outcome::Timeout);
}

#[tokio::test]
async fn sleep_refuses_times_that_are_none() {
    let rig = Rig::new();
    for parameters in [
        json!({}),
        json!({"seconds": -1}),
        json!({"seconds": 1e300}),
        json!({"ms": 1, "seconds": 1}),
        json!({"s": 1}),
    ] {
        let ran = rig
            .run(job(&rig, &parameters), Runnable::Builtin(Builtin::Sleep))
            .await;
        assert_eq!(
            ran.ended.failure.as_ref().unwrap().exit_code,
            Some(64),
            "{parameters}"
        );
        assert!(
            ran.message().contains("parameters of sleep"),
            "{}",
            ran.message()
        );
    }
}

#[tokio::test]
async fn system_info_knows_the_machine() {
    let rig = Rig::new();
    let result = rig
        .run(rig.job(), Runnable::Builtin(Builtin::SystemInfo))
        .await
        .result();
    assert_eq!(result["os"], std::env::consts::OS);
    assert!(
        result["cpus"].as_u64().unwrap() >= 1 && result["memory_bytes"].as_u64().unwrap() > 0,
        "{result}"
    );
}

#[test]
fn builtins_are_advertised_with_schemas_that_are_json() {
    for builtin in Builtin::ALL {
        assert_eq!(Builtin::from_name(builtin.name()), Some(builtin));
        for schema in [builtin.input_schema(), builtin.output_schema()] {
            assert!(
                serde_json::from_str::<serde_json::Value>(schema)
                    .unwrap()
                    .is_object()
            );
        }
    }
    assert_eq!(Builtin::from_name("shell"), None);
}
