//! What happens to attempts when their worker dies.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// Runs, as a worker that is about to be killed, one attempt that leaves a group and one that leaves a daemon; prints
/// their process numbers as they tell them.
#[test]
fn worker_process() {
    use std::io::Write;
    if std::env::var_os(HELPER).is_none_or(|role| role != "worker") {
        return;
    }
    let data = PathBuf::from(std::env::var_os("OPENCLAW_TEST_DATA").unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut settings = Settings::new(data.clone(), "test-node".into());
        settings.allow_commands = true;
        let mut command = guardian_command();
        if std::env::var_os("OPENCLAW_TEST_NO_GUARDIAN").is_some() {
            // Something that answers like a guardian and does nothing.
            command = GuardianCommand {
                program: "/bin/sh".into(),
                args: vec!["-c".into(), "echo ready; exec cat > /dev/null".into()],
                env: Vec::new(),
            };
        }
        let guardian = Guardian::start(&data, command).unwrap();
        let rig = Rig {
            executor: Executor::new(settings, guardian, TaskGroup::new()),
            ..Rig::new()
        };
        let scripts = [
            "trap '' TERM; sleep 600 & echo $!; echo $$; wait",
            "setsid sh -c 'echo $$; exec sleep 600' & sleep 600",
            // Without the mark, but in the group.
            "env -i /bin/sh -c 'echo $$; exec /bin/sleep 600'",
        ];
        let mut running: Vec<_> = scripts
            .iter()
            .map(|script| rig.start(rig.shell(script), Runnable::Command))
            .collect();
        for (running, lines) in running.iter_mut().zip([2, 1, 1]) {
            let mut seen = String::new();
            while seen.matches('\n').count() < lines {
                if let Event::Log { chunk, .. } = running.next().await {
                    seen.push_str(std::str::from_utf8(&chunk.data).unwrap());
                }
            }
            // The test harness has begun a line of its own.
            std::io::stdout()
                .write_all(format!("\n{seen}").as_bytes())
                .unwrap();
        }
        std::io::stdout().write_all(b"running\n").unwrap();
        std::future::pending::<()>().await;
    });
}

/// Starts processes that stay, one after the other, as fast as it can, until it is killed.
#[test]
fn busy_worker_process() {
    use std::io::Write;
    if std::env::var_os(HELPER).is_none_or(|role| role != "busy-worker") {
        return;
    }
    let data = PathBuf::from(std::env::var_os("OPENCLAW_TEST_DATA").unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut settings = Settings::new(data.clone(), "test-node".into());
        settings.allow_commands = true;
        let guardian = Guardian::start(&data, guardian_command()).unwrap();
        let rig = Rig {
            executor: Executor::new(settings, guardian, TaskGroup::new()),
            ..Rig::new()
        };
        let mut running = Vec::new();
        for number in 0..200 {
            let script = "setsid sleep 600 & sleep 600 & sleep 600";
            let mut attempt = rig.start(rig.shell(script), Runnable::Command);
            if number == 0 {
                attempt.started().await;
                std::io::stdout().write_all(b"\nrunning\n").unwrap();
            }
            running.push(attempt);
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    });
}

/// A worker with attempts under way, and their processes.
fn worker(data: &Path, with_guardian: bool) -> (std::process::Child, Vec<i32>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "executor::tests::guardian::worker_process",
        "--exact",
        "--nocapture",
    ]);
    command
        .env(HELPER, "worker")
        .env("OPENCLAW_TEST_DATA", data);
    if !with_guardian {
        command.env("OPENCLAW_TEST_NO_GUARDIAN", "1");
    }
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| line.unwrap());
    let pids: Vec<_> = lines
        .take_while(|line| line != "running")
        .filter_map(|line| line.parse().ok())
        .collect();
    assert_eq!(pids.len(), 4);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    (child, pids)
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_no_process() {
    let data = tempfile::tempdir().unwrap();
    let (mut worker, pids) = worker(data.path(), true);
    worker.kill().unwrap();
    worker.wait().unwrap();
    let killed = Instant::now();
    eventually("all are gone", || pids.iter().all(|pid| !is_alive(*pid))).await;
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
}

#[tokio::test]
async fn a_guardian_survives_what_the_terminal_sends_to_the_worker() {
    let data = tempfile::tempdir().unwrap();
    let (mut worker, pids) = worker(data.path(), true);
    let group = Pid::from_child(&worker);
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    worker.wait().unwrap();
    eventually("all are gone", || pids.iter().all(|pid| !is_alive(*pid))).await;
}

#[tokio::test]
async fn the_next_worker_kills_what_the_last_one_left() {
    let data = tempfile::tempdir().unwrap();
    let (mut worker, pids) = worker(data.path(), false);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(
        pids.iter().all(|pid| is_alive(*pid)),
        "nobody has cleaned up"
    );
    let path = data.path().to_owned();
    let guardian =
        tokio::task::spawn_blocking(move || Guardian::start(&path, guardian_command()).unwrap());
    let _guardian = guardian.await.unwrap();
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(
        std::fs::read_dir(data.path().join("run")).unwrap().count(),
        1,
        "only the ledger is left"
    );
}

#[tokio::test]
async fn a_guardian_that_somebody_ended_is_replaced_with_the_next_attempt() {
    let rig = Rig::new();
    let first = rig.guardian.pid();
    kill_process(
        Pid::from_raw(i32::try_from(first).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    eventually("it is dead", || !is_alive(i32::try_from(first).unwrap())).await;
    rig.run_shell("true").await;
    assert_ne!(rig.guardian.pid(), first);
    assert!(is_alive(i32::try_from(rig.guardian.pid()).unwrap()));
}

/// A process of nobody's, ended with the test however that ends.
struct Stranger(std::process::Child);

impl Stranger {
    fn new() -> Self {
        Self(
            Command::new("sleep")
                .arg("600")
                .process_group(0)
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn a_guardian_ends_with_its_worker_and_a_stranger_of_the_same_number_lives() {
    let data = tempfile::tempdir().unwrap();
    // A ledger of a former worker that names a process which only has the number of a group it ran.
    let stranger = Stranger::new();
    std::fs::create_dir_all(data.path().join("run/17/out")).unwrap();
    let boot = openclaw_runtime::identity::boot_id();
    let ledger = format!(
        "{{\"run\":\"00\",\"boot\":\"{boot}\"}}\n{} 1\n",
        stranger.0.id()
    );
    std::fs::write(data.path().join("run/ledger"), ledger).unwrap();
    let guardian = Guardian::start(data.path(), guardian_command()).unwrap();
    assert!(is_alive(i32::try_from(stranger.0.id()).unwrap()));
    assert!(
        !data.path().join("run/17").exists(),
        "old attempts are cleared away"
    );
    let pid = i32::try_from(guardian.pid()).unwrap();
    assert!(is_alive(pid));
    drop(guardian);
    eventually("the guardian has ended", || !is_alive(pid)).await;
}

#[test]
fn a_guardian_that_cannot_start_is_named() {
    let data = tempfile::tempdir().unwrap();
    let command = |program: &str| GuardianCommand {
        program: program.into(),
        args: Vec::new(),
        env: Vec::new(),
    };
    for program in ["/does/not/exist", "/bin/true"] {
        let text = Guardian::start(data.path(), command(program))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("cannot start the guardian process") && text.contains(program),
            "{text}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_that_is_killed_while_it_starts_tasks_leaves_no_process() {
    use super::super::tree::processes::Marked;
    for round in 0..8 {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "executor::tests::guardian::busy_worker_process",
            "--exact",
            "--nocapture",
        ]);
        command
            .env(HELPER, "busy-worker")
            .env("OPENCLAW_TEST_DATA", data.path());
        let mut worker = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "running"));
        // Not to hide a race but to hit it: another moment in every round.
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
        let ledger = std::fs::read_to_string(data.path().join("run/ledger")).unwrap();
        let header: serde_json::Value =
            serde_json::from_str(ledger.lines().next().unwrap().trim()).unwrap();
        let run = header["run"].as_str().unwrap();
        let killed = Instant::now();
        eventually("all are gone", || Marked::Run(run).find().is_empty()).await;
        assert!(
            killed.elapsed() < Duration::from_secs(5),
            "{:?}",
            killed.elapsed()
        );
        // What was just being started gets its mark a moment later.
        let later = Instant::now() + Duration::from_millis(300);
        eventually("a moment has passed", || Instant::now() >= later).await;
        assert!(Marked::Run(run).find().is_empty(), "round {round}");
    }
}
