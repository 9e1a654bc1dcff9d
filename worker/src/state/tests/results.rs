//! Results: held until acknowledged, on disk when that takes long.

use openclaw_common::status::Outcome;

use super::fixture::{Worker, finished, lease, outcome, verdict};
use crate::model::Ended;
use crate::state::{Event, LeaseState, Message, Progress, VerdictAction};

#[test]
fn a_result_acknowledged_in_time_never_touches_the_disk() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
    worker.after(99);
    assert_eq!(worker.written(), [0; 0]);
    worker.ack(1);
    assert_eq!(
        (worker.fx.spool_removals.len(), worker.holds().len()),
        (0, 0)
    );
    worker.after(1_000);
    assert_eq!(worker.written(), [0; 0]);
}

#[test]
fn a_result_not_acknowledged_within_100_ms_goes_to_disk_and_leaves_it_when_acknowledged() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Exit);
    worker.after(100);
    assert_eq!(worker.written(), [1]);
    worker.on(Event::Spooled(lease(1)));
    worker.ack(1);
    assert_eq!(worker.fx.spool_removals, [lease(1)]);
}

#[test]
fn a_result_acknowledged_while_it_is_being_written_is_removed_all_the_same() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    worker.after(100);
    worker.ack(1);
    assert_eq!(worker.fx.spool_removals, [lease(1)]);
    worker.on(Event::Spooled(lease(1)));
    assert_eq!(worker.holds(), []);
}

#[test]
fn without_a_stream_a_result_goes_to_disk_at_once_and_to_the_next_stream() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.lose_stream();
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.written(), [1]);
    while !worker.fx.connect {
        worker.after(100);
    }
    worker.open_with(vec![verdict(1, VerdictAction::SendResult)]);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
}

#[test]
fn a_result_that_was_sent_on_a_lost_stream_is_sent_again_once() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    worker.said();
    worker.lose_stream();
    assert_eq!(worker.written(), [1]);
    while !worker.fx.connect {
        worker.after(100);
    }
    worker.open_with(vec![verdict(1, VerdictAction::SendResult)]);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
    assert_eq!(worker.reported(), []);
}

#[test]
fn what_ends_between_hello_and_welcome_is_told() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.lose_stream();
    while !worker.fx.connect {
        worker.after(100);
    }
    worker.state.compose_hello(worker.now);
    worker.end(1, Outcome::Succeeded);
    worker.open_with(vec![verdict(1, VerdictAction::Resume)]);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
}

#[test]
fn results_of_an_earlier_process_are_reported_and_removed_when_acknowledged() {
    let mut worker = Worker::new();
    worker.on(Event::SpoolLoaded(vec![finished(1), finished(2)]));
    worker.tick();
    let held = worker.state.compose_hello(worker.now).held;
    assert!(held.iter().all(|held| held.state == LeaseState::Finished) && held.len() == 2);
    worker.open_with(vec![
        verdict(1, VerdictAction::SendResult),
        verdict(2, VerdictAction::Forget),
    ]);
    assert_eq!(worker.fx.spool_removals, [lease(2)]);
    assert_eq!(worker.reported(), [(1, Outcome::Succeeded)]);
    worker.ack(1);
    assert_eq!(worker.fx.spool_removals, [lease(1)]);
}

#[test]
fn a_result_that_cannot_be_written_is_tried_again() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    worker.after(100);
    worker.on(Event::SpoolFailed(lease(1)));
    worker.after(4_999);
    assert_eq!(worker.written(), [0; 0]);
    worker.after(1);
    assert_eq!(worker.written(), [1]);
}

#[test]
fn results_travel_together_up_to_a_megabyte_a_message() {
    let mut worker = Worker::with_slots(10_000);
    worker.tick();
    worker.open();
    worker.offer(&[1, 2, 3, 4]);
    let large = "x".repeat(600 * 1024);
    for (counter, result) in [(1, "1"), (2, "2"), (3, large.as_str()), (4, large.as_str())] {
        let ended = Ended {
            result: result.to_owned(),
            ..outcome(Outcome::Succeeded)
        };
        worker.on(Event::Ended(lease(counter), Box::new(ended)));
    }
    let sizes: Vec<usize> = worker
        .said()
        .iter()
        .filter_map(|message| {
            if let Message::Results(results) = message {
                Some(results.len())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(sizes, [3, 1]);
}

#[test]
fn starts_and_the_latest_progress_are_told_together() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2]);
    let progress = |percent| Progress {
        percent: Some(percent),
        message: String::new(),
    };
    worker.on(Event::Started(lease(1)));
    worker.on(Event::Started(lease(2)));
    worker.on(Event::Progressed(lease(1), progress(10.0)));
    worker.on(Event::Progressed(lease(1), progress(20.0)));
    worker.end(2, Outcome::Succeeded);
    let said = worker.said();
    let updates = Message::Updates {
        started: vec![lease(1)],
        progress: vec![(lease(1), progress(20.0))],
    };
    assert_eq!(said[1], updates, "a result says that it started");
}

#[test]
fn a_result_that_no_message_can_carry_is_a_bad_output_and_says_so() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    let ended = Ended {
        result: "x".repeat(5 * 1024 * 1024),
        ..outcome(Outcome::Succeeded)
    };
    worker.on(Event::Ended(lease(1), Box::new(ended)));
    let said = worker.said();
    let Message::Results(results) = &said[0] else {
        panic!("{said:?}")
    };
    let failure = results[0].ended.failure.as_ref().unwrap();
    assert_eq!(
        (results[0].ended.outcome, results[0].ended.result.as_str()),
        (Outcome::BadOutput, "")
    );
    assert!(
        failure.message.contains("more than one message can carry"),
        "{}",
        failure.message
    );
}
