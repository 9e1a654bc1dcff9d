//! Much output, bounded memory.

use openclaw_common::status::Outcome;

use super::super::Kill;
use super::*;

/// Bytes of memory this process has.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// In a process of its own: other tests' memory would be counted too.
#[test]
fn a_gibibyte_of_output_costs_bounded_memory_and_keeps_head_and_tail() {
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "executor::tests::flood::flood_process",
            "--exact",
            "--nocapture",
        ])
        .env(HELPER, "flood")
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn flood_process() {
    if std::env::var_os(HELPER).is_none_or(|role| role != "flood") {
        return;
    }
    let rig = Rig::new();
    let job = rig.shell("head -c 1073741824 /dev/zero | tr '\\0' x; printf THE-END");
    let before = memory();
    let mut running = rig.start(job, Runnable::Command);
    let (mut most, mut next, mut sent, mut gaps, mut last) = (0, 0, 0, Vec::new(), Bytes::new());
    let ended = loop {
        match running.next().await {
            Event::Log { chunk, .. } => {
                assert!(chunk.data.len() <= 32 * 1024);
                if chunk.offset != next {
                    gaps.push((next, chunk.offset));
                }
                next = chunk.offset + chunk.data.len() as u64;
                sent += chunk.data.len();
                most = most.max(memory());
                last = chunk.data;
            }
            Event::Ended { ended, .. } => break ended,
            _ => {}
        }
    };
    let total = (1 << 30) + 7;
    assert_eq!(
        (ended.outcome, ended.stdout_bytes, next),
        (Outcome::Succeeded, total, total)
    );
    assert!(last.ends_with(b"THE-END"));
    assert!(sent <= 17 << 20, "{sent}");
    assert!(!gaps.is_empty() && ended.output.is_empty());
    let grown = most.saturating_sub(before);
    assert!(grown <= 32 << 20, "grew by {grown} bytes");
}

#[tokio::test]
async fn a_receiver_that_does_not_listen_holds_up_no_process() {
    let rig = Rig::new();
    let done = rig.skills.path().join("done");
    let job = rig.shell(&format!(
        "head -c 50000000 /dev/zero; echo 1 > {}; exec sleep 600",
        done.display()
    ));
    let running = rig.start(job, Runnable::Command);
    eventually("the process has printed all", || done.exists()).await;
    running.handle.kill(Kill::Now);
    let ran = running.end().await;
    assert_eq!(
        (ran.ended.outcome, ran.ended.stdout_bytes),
        (Outcome::HandedBack, 50_000_000)
    );
    let last = ran.chunks().last().cloned().unwrap();
    assert_eq!(last.offset + last.data.len() as u64, 50_000_000);
}

#[tokio::test]
async fn a_flooding_process_can_be_ended() {
    let rig = Rig::new();
    let mut running = rig.start(rig.shell("yes; true"), Runnable::Command);
    running.started().await;
    running.printed("y").await;
    let asked = Instant::now();
    running.handle.kill(Kill::Asked);
    assert_eq!(running.end().await.ended.outcome, Outcome::Killed);
    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn output_arrives_while_the_process_runs_and_small_output_rides_in_the_end() {
    let rig = Rig::new();
    let mut running = rig.start(
        rig.shell("printf one; printf two >&2; exec sleep 600"),
        Runnable::Command,
    );
    running.started().await;
    running.printed("one").await;
    running.handle.kill(Kill::Now);
    let ran = running.end().await;
    assert_eq!(
        (ran.text(Stream::Stdout), ran.text(Stream::Stderr)),
        ("one".into(), "two".into())
    );
    assert_eq!(
        ran.ended.output.len(),
        2,
        "whole, although it was sent already"
    );
}

#[tokio::test]
async fn output_in_tiny_pieces_is_joined() {
    let rig = Rig::new();
    let program = "import os\nfor i in range(3000):\n  os.write(1, b'a')\n  os.write(2, b'b')";
    let ran = rig.run_python(program).await;
    assert_eq!(ran.text(Stream::Stdout), "a".repeat(3000));
    assert_eq!(ran.text(Stream::Stderr), "b".repeat(3000));
    assert!(ran.chunks().len() < 200, "{}", ran.chunks().len());
}
