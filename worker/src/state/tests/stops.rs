//! The way to a stop.

use openclaw_common::status::Outcome;

use super::fixture::{DRAIN, Worker, lease, released};
use crate::state::{Event, Exit, Message};

fn leave(worker: &mut Worker) {
    worker.on(Event::LeavingAcked { last_offer_seq: 0 });
}

#[test]
fn an_idle_worker_leaves_says_goodbye_and_exits() {
    let mut worker = Worker::connected();
    worker.stop();
    assert_eq!(
        worker.said(),
        [Message::Leaving {
            reason: "test".to_owned()
        }]
    );
    leave(&mut worker);
    assert_eq!(
        worker.said(),
        [Message::Bye {
            reason: "test".to_owned()
        }]
    );
    worker.lose_stream();
    assert_eq!(worker.exits(), Some(Exit::Stopped));
}

#[test]
fn a_stop_gives_the_queue_back_and_lets_what_runs_go_on() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.stop();
    let said = worker.said();
    assert!(matches!(said[0], Message::Leaving { .. }));
    assert_eq!(released(&said), [3]);
    assert_eq!(worker.killed(), [0; 0]);
    worker.offer(&[4]);
    assert_eq!(released(&worker.said()), [4], "an offer that crossed");
    worker.on(Event::LeavingAcked { last_offer_seq: 2 });
    worker.end(1, Outcome::Succeeded);
    assert_eq!(
        worker.reported(),
        [(1, Outcome::Succeeded)],
        "no goodbye yet"
    );
    worker.end(2, Outcome::Exit);
    worker.said();
    worker.ack(1);
    worker.ack(2);
    assert_eq!(
        worker.said(),
        [Message::Bye {
            reason: "test".to_owned()
        }]
    );
}

#[test]
fn what_outlives_the_drain_time_is_handed_back() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    worker.after(DRAIN - 1);
    assert_eq!(worker.killed(), [0; 0]);
    worker.after(1);
    assert!(
        worker
            .fx
            .kills
            .iter()
            .all(|kill| kill.lease == lease(1) && kill.hand_back && !kill.now)
    );
    assert_eq!(worker.killed(), [1]);
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), [(1, Outcome::HandedBack)]);
}

#[test]
fn a_cancel_during_the_drain_is_a_kill_and_not_a_hand_back() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    worker.after(DRAIN);
    worker.judge(1, crate::state::VerdictAction::Kill { forget: false });
    assert!(worker.fx.kills.iter().all(|kill| !kill.hand_back));
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), [(1, Outcome::Killed)]);
}

#[test]
fn the_second_request_ends_everything_now() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    worker.on(Event::StopAsked {
        now: true,
        reason: "again".to_owned(),
    });
    assert!(worker.fx.kills.iter().all(|kill| kill.now));
    assert_eq!(worker.killed(), [1]);
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.exits(), None);
    worker.after(1_000);
    worker.on(Event::Spooled(lease(1)));
    assert_eq!(
        worker.exits(),
        Some(Exit::Stopped),
        "the result waits on disk for the next start"
    );
}

#[test]
fn a_coordinator_that_never_answers_does_not_hold_up_the_exit() {
    let mut worker = Worker::connected();
    worker.stop();
    worker.said();
    worker.after(4_999);
    assert_eq!(worker.exits(), None);
    worker.after(1);
    assert_eq!(worker.exits(), Some(Exit::Stopped));
}

#[test]
fn a_worker_without_a_stream_and_without_work_exits_at_once() {
    let mut worker = Worker::new();
    worker.tick();
    worker.stop();
    assert_eq!(worker.exits(), Some(Exit::Stopped));
}

#[test]
fn while_work_runs_on_a_stopping_worker_looks_for_a_stream_and_leaves_there_again() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    leave(&mut worker);
    let said = worker.reconnect_with(Vec::new());
    assert_eq!(
        said,
        [Message::Leaving {
            reason: "test".to_owned()
        }]
    );
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
    worker.ack(1);
    assert_eq!(
        worker.said(),
        [],
        "the leave on the lost stream does not count"
    );
    leave(&mut worker);
    assert_eq!(
        worker.said(),
        [Message::Bye {
            reason: "test".to_owned()
        }]
    );
}

#[test]
fn a_wedged_attempt_does_not_hold_up_the_exit() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    worker.on(Event::Wedged(lease(1)));
    leave(&mut worker);
    worker.said();
    worker.lose_stream();
    assert_eq!(worker.exits(), Some(Exit::Stopped));
}

#[test]
fn a_disk_that_fails_does_not_hold_up_the_exit_for_ever() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.stop();
    worker.lose_stream();
    worker.end(1, Outcome::Succeeded);
    worker.on(Event::SpoolFailed(lease(1)));
    worker.after(5_000);
    assert_eq!(worker.exits(), None);
    worker.after(10_000);
    assert_eq!(worker.exits(), Some(Exit::Stopped));
}
