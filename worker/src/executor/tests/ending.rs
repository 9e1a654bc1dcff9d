//! How processes end, and are ended.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::Outcome;

use super::super::Kill;
use super::*;

fn codes(ran: &Ran) -> (Outcome, ReasonCode, Option<i32>, Option<i32>) {
    let failure = ran.ended.failure.as_ref().expect("a failure");
    (
        ran.ended.outcome,
        failure.code,
        failure.exit_code,
        failure.signal,
    )
}

#[tokio::test]
async fn an_exit_code_is_told_with_the_program_and_its_last_words() {
    let rig = Rig::new();
    let ran = rig
        .run_shell("echo first >&2; echo 'ValueError: boom' >&2; echo >&2; exit 3")
        .await;
    assert_eq!(
        codes(&ran),
        (Outcome::Exit, ReasonCode::Exit, Some(3), None)
    );
    assert_eq!(ran.message(), "sh exited with code 3: ValueError: boom");
    assert_eq!(
        ran.ended.failure.as_ref().unwrap().stderr_tail,
        "first\nValueError: boom\n\n"
    );
    let ran = rig.run_shell("exit 75").await;
    assert_eq!(codes(&ran).2, Some(75));
    assert_eq!(
        ran.message(),
        "sh exited with code 75 and printed nothing on standard error"
    );
}

#[tokio::test]
async fn a_signal_is_told_by_number_and_name() {
    let rig = Rig::new();
    let ran = rig.run_shell("kill -SEGV $$").await;
    assert_eq!(
        codes(&ran),
        (Outcome::Signal, ReasonCode::Signal, None, Some(11))
    );
    assert!(
        ran.message().contains("signal 11 (SIGSEGV"),
        "{}",
        ran.message()
    );
    let ran = rig.run_shell("kill -KILL $$").await;
    assert_eq!(codes(&ran).3, Some(9));
    assert!(ran.message().contains("out of memory"), "{}", ran.message());
}

#[tokio::test]
async fn only_the_last_4_kib_of_standard_error_are_quoted() {
    let rig = Rig::new();
    let ran = rig
        .run_python("import sys; sys.stderr.write('ä' * 10_000 + 'end'); sys.exit(1)")
        .await;
    let tail = ran.ended.failure.unwrap().stderr_tail;
    assert!(
        tail.len() <= 4096 && tail.len() > 4000 && tail.ends_with("äend"),
        "{}",
        tail.len()
    );
}

#[tokio::test]
async fn a_task_that_may_not_run_longer_is_ended() {
    let rig = Rig::new();
    let mut job = rig.shell("echo hello >&2; exec sleep 60");
    job.spec.timeout = Some(Duration::from_millis(400));
    let ran = rig.run(job, Runnable::Command).await;
    assert_eq!(
        codes(&ran),
        (Outcome::Timeout, ReasonCode::Timeout, None, None)
    );
    assert_eq!(ran.message(), "ran longer than its timeout of 400ms");
    assert!(
        (400..5000).contains(&ran.ended.run_ms),
        "{}",
        ran.ended.run_ms
    );
    assert_eq!(ran.ended.failure.unwrap().stderr_tail, "hello\n");
}

#[tokio::test]
async fn the_skills_own_timeout_holds_when_the_task_names_none() {
    let rig = Rig::new();
    let job = rig.job();
    let Runnable::Skill(mut skill) = rig.python("import time; time.sleep(60)", &[]) else {
        unreachable!()
    };
    Arc::make_mut(&mut skill.run).timeout = Some(Duration::from_millis(200));
    let ran = rig.run(job, Runnable::Skill(skill)).await;
    assert_eq!(ran.ended.outcome, Outcome::Timeout);
}

#[tokio::test]
async fn progress_keeps_a_task_alive_and_output_does_not() {
    let rig = Rig::new();
    let limited = |script: &str| {
        let mut job = rig.shell(script);
        job.spec.progress_timeout = Some(Duration::from_millis(700));
        job
    };
    let alive = limited(
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; echo '{}' >> $OPENCLAW_CLUSTER_PROGRESS; done",
    );
    let silent = limited("while true; do echo line; sleep 0.05; done");
    let (alive, silent) = tokio::join!(
        rig.run(alive, Runnable::Command),
        rig.run(silent, Runnable::Command)
    );
    assert_eq!(alive.ended.outcome, Outcome::Succeeded);
    assert_eq!(
        codes(&silent),
        (
            Outcome::ProgressTimeout,
            ReasonCode::ProgressTimeout,
            None,
            None
        )
    );
}

#[tokio::test]
async fn a_task_that_heeds_the_request_to_end_may_clean_up() {
    let rig = Rig::with(|settings| settings.grace = PATIENCE);
    let mark = rig.skills.path().join("cleaned");
    // The shell ends at once; its child takes its time.
    let script = format!(
        "(trap 'sleep 0.3; echo x >> {}; exit' TERM; echo ready; while true; do sleep 0.05; done) & trap 'exit 0' TERM; wait",
        mark.display()
    );
    let mut running = rig.start(rig.shell(&script), Runnable::Command);
    running.started().await;
    running.printed("ready").await;
    running.handle.kill(Kill::Asked);
    let ran = running.end().await;
    assert_eq!(
        codes(&ran),
        (Outcome::Killed, ReasonCode::Cancelled, None, None)
    );
    assert_eq!(
        std::fs::read_to_string(mark).unwrap(),
        "x\n",
        "asked once, and given the time"
    );
}

#[tokio::test]
async fn a_task_that_ignores_the_request_to_end_is_killed_after_its_grace() {
    let rig = Rig::new();
    let mut running = rig.start(
        rig.shell("trap '' TERM; echo ready; while true; do sleep 0.05; done"),
        Runnable::Command,
    );
    running.started().await;
    running.printed("ready").await;
    let asked = Instant::now();
    running.handle.kill(Kill::Stopping);
    let ran = running.end().await;
    assert_eq!(
        codes(&ran),
        (Outcome::HandedBack, ReasonCode::HandedBack, None, None)
    );
    assert!(
        asked.elapsed() >= Duration::from_millis(300),
        "not before its grace was over"
    );
}

#[tokio::test]
async fn a_second_request_waits_for_no_grace_and_the_coordinators_wish_names_the_end() {
    let rig = Rig::with(|settings| settings.grace = Duration::from_mins(10));
    let mut running = rig.start(
        rig.shell("trap '' TERM; echo ready; while true; do sleep 0.05; done"),
        Runnable::Command,
    );
    running.started().await;
    running.printed("ready").await;
    running.handle.kill(Kill::Stopping);
    running.handle.kill(Kill::Asked);
    running.handle.kill(Kill::Now);
    assert_eq!(running.end().await.ended.outcome, Outcome::Killed);
}

#[tokio::test]
async fn what_ended_by_itself_first_keeps_its_own_outcome() {
    let rig = Rig::new();
    let ready = rig.skills.path().join("pid");
    // The leader has exited with 5; its child holds the pipes for a moment, so that the attempt is still open.
    let script = format!("sleep 1.5 & echo $$ > {}; exit 5", ready.display());
    let running = rig.start(rig.shell(&script), Runnable::Command);
    eventually("the leader has ended", || {
        pids_in(&ready).first().is_some_and(|pid| !is_alive(*pid))
    })
    .await;
    running.handle.kill(Kill::Asked);
    let ran = running.end().await;
    assert_eq!(
        codes(&ran),
        (Outcome::Exit, ReasonCode::Exit, Some(5), None)
    );
}

#[tokio::test]
async fn a_cancelled_group_ends_its_attempts_without_grace() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(data.path().to_owned(), "test-node".into());
    (settings.allow_commands, settings.grace) = (true, Duration::from_mins(10));
    let tasks = TaskGroup::new();
    let guardian = Guardian::start(data.path(), guardian_command()).unwrap();
    let rig = Rig {
        executor: Executor::new(settings, guardian, tasks.clone()),
        ..Rig::new()
    };
    let mut running = rig.start(
        rig.shell("trap '' TERM; while true; do sleep 0.05; done"),
        Runnable::Command,
    );
    running.started().await;
    assert_eq!(tasks.shutdown(PATIENCE).await, 0);
    assert_eq!(running.end().await.ended.outcome, Outcome::HandedBack);
}
