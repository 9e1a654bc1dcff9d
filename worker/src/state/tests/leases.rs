//! When a queued attempt may start, and what a heartbeat says.

use openclaw_common::status::Outcome;

use super::fixture::{INTERVAL, LEASE, SUSPECT, Worker, lease};
use crate::model::Demand;
use crate::state::{Event, HeartbeatPart, LeaseState, Message, VerdictAction};

fn heartbeat(worker: &mut Worker) -> HeartbeatPart {
    worker.after(INTERVAL);
    let heartbeat = worker.said().into_iter().find_map(|message| match message {
        Message::Heartbeat(heartbeat) => Some(heartbeat),
        _ => None,
    });
    heartbeat.unwrap()
}

#[test]
fn welcome_counts_as_the_first_acknowledgement() {
    let mut worker = Worker::connected();
    worker.after(SUSPECT - 1);
    worker.offer(&[1]);
    assert_eq!(worker.started(), [1]);
}

#[test]
fn nothing_starts_without_a_young_acknowledgement() {
    let mut worker = Worker::connected();
    worker.after(SUSPECT);
    let seq = worker.said().len() as u64;
    assert_eq!(seq, 1, "one heartbeat");
    worker.offer(&[1]);
    assert_eq!(worker.started(), [0; 0]);
    worker.on(Event::HeartbeatAcked { seq });
    assert_eq!(worker.started(), [1]);
}

#[test]
fn an_acknowledgement_that_was_long_under_way_is_as_old_as_its_heartbeat() {
    let mut worker = Worker::connected();
    let seq = heartbeat(&mut worker).seq;
    worker.after(SUSPECT + 1);
    worker.offer(&[1]);
    worker.on(Event::HeartbeatAcked { seq });
    assert_eq!(worker.started(), [0; 0]);
}

#[test]
fn nothing_queued_starts_while_the_stream_is_down() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.lose_stream();
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0]);
    worker.after(60_000);
    assert_eq!(worker.started(), [0; 0]);
}

#[test]
fn after_a_gap_nothing_starts_before_its_verdict_but_a_fresh_offer_does() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.reconnect_with(Vec::new());
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0]);
    worker.offer(&[4]);
    assert_eq!(worker.started(), [4]);
    worker.judge(3, VerdictAction::Resume);
    worker.end(2, Outcome::Succeeded);
    assert_eq!(worker.started(), [3]);
}

#[test]
fn a_heartbeat_lists_what_is_held_at_the_moment_it_is_composed() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.after(INTERVAL);
    worker.end(1, Outcome::Succeeded);
    let Some(Message::Heartbeat(heartbeat)) = worker.state.compose(worker.now) else {
        panic!("a heartbeat that is due goes before results");
    };
    let states: Vec<LeaseState> = heartbeat.held.iter().map(|held| held.state).collect();
    assert_eq!(
        states,
        [
            LeaseState::Finished,
            LeaseState::Running,
            LeaseState::Running
        ]
    );
    assert_eq!(
        (
            heartbeat.seq,
            heartbeat.seen_offer_seq,
            heartbeat.desired_generation
        ),
        (1, 1, 1)
    );
}

#[test]
fn heartbeats_that_were_missed_are_skipped() {
    let mut worker = Worker::connected();
    worker.after(INTERVAL * 7);
    worker.tick();
    assert_eq!(worker.said().len(), 1);
}

#[test]
fn a_wedged_attempt_is_not_vouched_for_and_keeps_its_slot() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.judge(1, VerdictAction::Kill { forget: false });
    worker.on(Event::Wedged(lease(1)));
    assert_eq!(worker.started(), [0; 0]);
    let said = heartbeat(&mut worker);
    assert_eq!(said.blocked_milli, 1_000);
    assert!(said.held.iter().all(|held| held.lease != lease(1)));
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.started(), [3], "gone after all");
    assert_eq!(
        worker.state.used(),
        &Demand {
            slots_milli: 2_000,
            ..Demand::default()
        }
    );
}

#[test]
fn a_coordinator_that_acknowledges_nothing_for_a_whole_lease_is_dialed_anew() {
    let mut worker = Worker::connected();
    worker.after(LEASE - 1);
    assert!(!worker.fx.close);
    worker.after(1);
    assert!(worker.fx.close && worker.fx.connect);
}

#[test]
fn a_ping_is_answered_before_anything_else() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    worker.after(INTERVAL);
    worker.on(Event::Pinged { nonce: 5 });
    assert_eq!(worker.said()[0], Message::Pong { nonce: 5 });
}
