//! Nothing of an attempt outlives it.

use openclaw_common::status::Outcome;

use super::super::Kill;
use super::*;

/// Forks twice into a session of its own, lets go of the pipes, and leaves its number in the file named.
const DAEMON: &str = r#"
import os, sys, time
def daemon(path):
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        with open(path + ".new", "w") as f:
            f.write(f"{os.getpid()}\n")
        os.rename(path + ".new", path)
        time.sleep(600)
        os._exit(0)
"#;

#[tokio::test]
async fn a_daemon_left_behind_is_killed_before_the_end_is_told() {
    let rig = Rig::new();
    for linger in ["0", "0.5"] {
        let path = rig.skills.path().join(format!("daemon-{linger}"));
        let program = format!(
            "{DAEMON}\npath = {path:?}\ndaemon(path)\nwhile not os.path.exists(path): time.sleep(0.001)\ntime.sleep({linger})\nprint(1)"
        );
        let ran = rig.run_python(&program).await;
        assert_eq!(ran.ended.outcome, Outcome::Succeeded);
        let pids = pids_in(&path);
        assert!(
            pids.len() == 1 && !is_alive(pids[0]),
            "after {linger} s: {pids:?}"
        );
    }
}

#[tokio::test]
async fn a_child_that_holds_the_pipes_delays_the_end_for_two_seconds_at_most() {
    let rig = Rig::new();
    let path = rig.skills.path().join("pid");
    let began = Instant::now();
    let ran = rig
        .run_shell(&format!(
            "sleep 600 & echo $! > {}; echo done",
            path.display()
        ))
        .await;
    assert_eq!(ran.result(), serde_json::json!({"stdout": "done\n"}));
    assert!(began.elapsed() < Duration::from_secs(20) && began.elapsed() >= Duration::from_secs(2));
    assert!(!is_alive(pids_in(&path)[0]));
}

#[tokio::test]
async fn a_tree_with_a_daemon_is_gone_when_it_was_cancelled() {
    let rig = Rig::new();
    let path = rig.skills.path().join("daemon");
    let program = format!(
        "{DAEMON}\ndaemon({path:?})\nimport signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    );
    let job = rig.job();
    let running = rig.start(job, rig.python(&program, &[]));
    eventually("the daemon runs", || path.exists()).await;
    running.handle.kill(Kill::Asked);
    assert_eq!(running.end().await.ended.outcome, Outcome::Killed);
    assert!(!is_alive(pids_in(&path)[0]));
}

#[tokio::test]
async fn a_fork_bomb_is_gone_when_it_was_cancelled() {
    let rig = Rig::new();
    let path = rig.skills.path().join("pids");
    // Each process replaces itself by two for some generations, half of them in sessions of their own.
    let program = format!(
        r#"
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
log = os.open({path:?}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
for generation in range(5):
    if os.fork() == 0 and generation % 2:
        os.setsid()
    os.write(log, f"{{os.getpid()}}\n".encode())
while True:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
"#
    );
    let job = rig.job();
    let running = rig.start(job, rig.python(&program, &[]));
    let distinct = || {
        pids_in(&path)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
    };
    eventually("the bomb has gone off", || distinct().len() == 32).await;
    running.handle.kill(Kill::Asked);
    assert_eq!(running.end().await.ended.outcome, Outcome::Killed);
    let alive: Vec<_> = distinct()
        .into_iter()
        .filter(|pid| is_alive(*pid))
        .collect();
    assert!(alive.is_empty(), "{alive:?}");
}

#[tokio::test]
async fn an_attempt_that_is_dropped_takes_its_process_with_it() {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(data.path().to_owned(), "test-node".into());
    settings.allow_commands = true;
    let tasks = TaskGroup::new();
    let guardian = Guardian::start(data.path(), guardian_command()).unwrap();
    let rig = Rig {
        executor: Executor::new(settings, guardian, tasks.clone()),
        ..Rig::new()
    };
    let path = rig.skills.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 600", path.display());
    let mut running = rig.start(rig.shell(&script), Runnable::Command);
    running.started().await;
    eventually("it runs", || !pids_in(&path).is_empty()).await;
    assert_eq!(
        tasks.shutdown(Duration::ZERO).await,
        1,
        "aborted, not drained"
    );
    eventually("its process is gone", || !is_alive(pids_in(&path)[0])).await;
}

#[tokio::test]
async fn directories_are_used_again_without_a_trace_of_the_attempt_before() {
    let rig = Rig::new();
    for _ in 0..5 {
        let ran = rig
            .run_shell("ls -A . in out; echo x >> $OPENCLAW_CLUSTER_PROGRESS")
            .await;
        assert_eq!(
            ran.text(Stream::Stdout),
            ".:\nin\nout\nparams.json\n\nin:\n\nout:\n"
        );
    }
    let folders = std::fs::read_dir(rig.data.path().join("run"))
        .unwrap()
        .count();
    assert_eq!(folders, 2, "the ledger and one directory");
    rig.run_shell("touch left-behind").await;
    let ran = rig.run_shell("ls -A").await;
    assert_eq!(ran.text(Stream::Stdout), "in\nout\nparams.json\n");
}

#[tokio::test]
async fn a_kill_that_is_not_confirmed_in_time_is_told_and_the_end_follows() {
    let rig = Rig::with(|settings| settings.wedge_after = Duration::ZERO);
    // The first look finds the stray, the second finds it gone. It must have left the group by then: in it, it would die
    // with the group, before any look.
    let ran = rig
        .run_shell(
            "setsid sh -c '> away; exec sleep 600' > /dev/null 2>&1 & while [ ! -e away ]; do :; done",
        )
        .await;
    let lease = LeaseId {
        epoch: 7,
        counter: 1,
    };
    // What it printed may go ahead as a log.
    let told = ran
        .before
        .into_iter()
        .filter(|event| !matches!(event, Event::Log { .. }));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [Event::Started { lease }, Event::Wedged { lease }]
    );
    assert_eq!(ran.ended.outcome, Outcome::Succeeded);
}
