//! The verdict table: every action on every stage of an attempt.

use openclaw_common::status::Outcome;

use super::fixture::{Worker, released, verdict};
use crate::state::{LeaseState, VerdictAction};

const KILL: VerdictAction = VerdictAction::Kill { forget: false };
const KILL_AND_FORGET: VerdictAction = VerdictAction::Kill { forget: true };

/// A worker of two slots with attempts 1 and 2 running and 3 queued.
fn busy() -> Worker {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker
}

/// A worker whose attempt 1 has ended and was reported, 2 seconds ago, with 2 and 3 running.
fn with_a_result() -> Worker {
    let mut worker = busy();
    worker.end(1, Outcome::Succeeded);
    worker.said();
    worker.after(2_000);
    worker
}

#[test]
fn resume_lets_a_queued_attempt_start_after_a_gap() {
    let mut worker = busy();
    worker.reconnect_with(vec![
        verdict(1, VerdictAction::Resume),
        verdict(2, VerdictAction::Resume),
    ]);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0], "not judged yet");
    worker.judge(3, VerdictAction::Resume);
    assert_eq!(worker.started(), [3]);
}

#[test]
fn resume_leaves_a_running_attempt_alone() {
    let mut worker = busy();
    worker.judge(1, VerdictAction::Resume);
    assert_eq!(worker.killed(), [0; 0]);
    assert_eq!(
        worker.holds(),
        [
            (1, LeaseState::Running),
            (2, LeaseState::Running),
            (3, LeaseState::Queued)
        ]
    );
}

#[test]
fn resume_keeps_a_result_that_came_meanwhile() {
    let mut worker = with_a_result();
    worker.judge(1, VerdictAction::Resume);
    assert_eq!(worker.holds()[0], (1, LeaseState::Finished));
}

#[test]
fn kill_gives_a_queued_attempt_back() {
    let mut worker = busy();
    worker.judge(3, KILL);
    assert_eq!(released(&worker.said()), [3]);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0]);
}

#[test]
fn kill_ends_a_running_attempt_and_reports_it() {
    let mut worker = busy();
    worker.judge(1, KILL);
    assert_eq!(worker.killed(), [1]);
    assert_eq!(
        worker.started(),
        [0; 0],
        "its slot is free only when it is gone"
    );
    worker.judge(1, KILL);
    assert_eq!(worker.killed(), [0; 0], "asking again changes nothing");
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.started(), [3]);
    assert_eq!(worker.reported(), [(1, Outcome::Killed)]);
}

#[test]
fn an_attempt_that_ended_by_itself_while_being_killed_keeps_its_own_outcome() {
    let mut worker = busy();
    worker.judge(1, KILL);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
}

#[test]
fn kill_of_a_finished_attempt_keeps_its_result() {
    let mut worker = with_a_result();
    worker.judge(1, KILL);
    assert_eq!(worker.holds()[0], (1, LeaseState::Finished));
}

#[test]
fn kill_and_forget_drops_a_queued_attempt_without_a_word() {
    let mut worker = busy();
    worker.judge(3, KILL_AND_FORGET);
    assert_eq!(worker.said(), []);
    assert_eq!(
        worker.holds(),
        [(1, LeaseState::Running), (2, LeaseState::Running)]
    );
}

#[test]
fn kill_and_forget_ends_a_running_attempt_without_a_word() {
    let mut worker = busy();
    worker.judge(1, KILL_AND_FORGET);
    assert_eq!(worker.killed(), [1]);
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), []);
    assert_eq!(
        worker.holds(),
        [(2, LeaseState::Running), (3, LeaseState::Running)]
    );
}

#[test]
fn kill_and_forget_drops_a_result() {
    let mut worker = with_a_result();
    worker.judge(1, KILL_AND_FORGET);
    assert_eq!(
        worker.holds(),
        [(2, LeaseState::Running), (3, LeaseState::Running)]
    );
    assert_eq!(worker.fx.spool_removals.len(), 1, "it had gone to disk");
}

#[test]
fn send_result_sends_it_again() {
    let mut worker = with_a_result();
    worker.judge(1, VerdictAction::SendResult);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
}

#[test]
fn send_result_does_not_repeat_what_is_on_its_way() {
    let mut worker = busy();
    worker.end(1, Outcome::Succeeded);
    worker.judge(1, VerdictAction::SendResult);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
    worker.judge(1, VerdictAction::SendResult);
    assert_eq!(worker.reported(), []);
}

#[test]
fn send_result_means_nothing_for_what_has_not_ended() {
    let mut worker = busy();
    worker.judge(1, VerdictAction::SendResult);
    worker.judge(3, VerdictAction::SendResult);
    assert_eq!(worker.said(), []);
    assert_eq!(worker.holds().len(), 3);
}

#[test]
fn forget_drops_a_queued_attempt() {
    let mut worker = busy();
    worker.judge(3, VerdictAction::Forget);
    assert_eq!((worker.said(), worker.holds().len()), (vec![], 2));
}

#[test]
fn forget_ends_what_runs_for_nobody() {
    let mut worker = busy();
    worker.judge(1, VerdictAction::Forget);
    assert_eq!(worker.killed(), [1]);
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), []);
}

#[test]
fn forget_drops_a_result_from_memory_and_disk() {
    let mut worker = with_a_result();
    worker.judge(1, VerdictAction::Forget);
    assert_eq!(worker.fx.spool_removals.len(), 1);
    assert_eq!(worker.holds().len(), 2);
}

#[test]
fn a_verdict_on_what_is_not_held_means_nothing() {
    let mut worker = busy();
    for action in [
        VerdictAction::Resume,
        KILL,
        KILL_AND_FORGET,
        VerdictAction::SendResult,
        VerdictAction::Forget,
    ] {
        worker.judge(99, action);
        assert_eq!(
            (worker.said(), worker.holds().len()),
            (vec![], 3),
            "{action:?}"
        );
    }
}
