//! Dialing, losing and finding the coordinator again.

use openclaw_common::status::Outcome;
use openclaw_common::time::Mono;

use super::fixture::{HOME, INTERVAL, OTHER, Worker, finished, lease, verdict, welcome};
use crate::state::{
    Closed, ClosedBy, Event, Exit, LeaseState, Notice, Remembered, VerdictAction, Welcome,
};

/// Milliseconds until it dials again.
fn delay(worker: &Worker) -> u64 {
    worker.state.next_deadline().unwrap().since(worker.now.mono)
}

#[test]
fn the_first_dial_is_at_once() {
    let mut worker = Worker::new();
    assert_eq!(worker.state.next_deadline(), Some(Mono(0)));
    assert!(worker.tick().connect);
    assert!(!worker.tick().connect, "one dial at a time");
}

#[test]
fn the_first_delay_after_a_lost_stream_is_spread_as_welcome_told() {
    let mut worker = Worker::connected();
    worker.after(INTERVAL);
    worker.lose_stream();
    assert!(delay(&worker) <= 40);
}

#[test]
fn further_delays_grow_with_full_jitter_up_to_15_seconds() {
    let mut worker = Worker::connected();
    worker.after(INTERVAL);
    let mut longest = 0;
    for _ in 0..200 {
        worker.lose_stream();
        let delay = delay(&worker);
        assert!(delay <= 15_000);
        longest = longest.max(delay);
        worker.after(delay);
        assert!(worker.fx.connect);
    }
    assert!(longest > 10_000, "{longest}");
}

#[test]
fn a_coordinator_that_drops_every_stream_at_once_is_not_dialed_in_a_tight_loop() {
    let mut worker = Worker::connected();
    let mut total = 0;
    for _ in 0..20 {
        worker.lose_stream();
        total += delay(&worker);
        let wait = delay(&worker);
        worker.after(wait);
        worker.open();
    }
    assert!(total > 20_000, "{total} ms for 20 streams");
}

#[test]
fn versions_that_do_not_fit_are_tried_ever_more_rarely() {
    let mut worker = Worker::new();
    let mut longest = 0;
    for _ in 0..40 {
        let wait = delay(&worker);
        worker.after(wait);
        assert!(worker.fx.connect);
        worker.on(Event::Closed(Closed {
            by: ClosedBy::Incompatible,
            detail: "1..1 against 2..3".to_owned(),
        }));
        longest = longest.max(delay(&worker));
        assert!(delay(&worker) <= 300_000);
    }
    assert!(longest > 150_000, "{longest}");
    assert_eq!(worker.exits(), None);
}

#[test]
fn a_refused_token_is_final() {
    let mut worker = Worker::new();
    worker.tick();
    worker.on(Event::Closed(Closed {
        by: ClosedBy::Refusal(Exit::NotAllowed),
        detail: "wrong token".to_owned(),
    }));
    assert_eq!(worker.exits().map(Exit::code), Some(77));
    assert!(!worker.after(60_000).connect);
}

#[test]
fn a_coordinator_that_goes_away_says_when_to_come_back() {
    let mut worker = Worker::connected();
    worker.on(Event::Draining {
        come_back_after_ms: 1_234,
        reason: "upgrade".to_owned(),
    });
    worker.lose_stream();
    assert_eq!(delay(&worker), 1_234);
}

#[test]
fn a_coordinator_that_goes_away_and_keeps_the_stream_is_left_after_five_seconds() {
    let mut worker = Worker::connected();
    worker.on(Event::Draining {
        come_back_after_ms: 1_234,
        reason: "upgrade".to_owned(),
    });
    worker.after(5_000);
    assert!(worker.fx.close);
    assert_eq!(delay(&worker), 1_234);
}

#[test]
fn whoever_slept_reconnects_at_once_and_tells_how_long() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.on(Event::Resumed { gap_ms: 480_000 });
    assert!(worker.fx.close && worker.fx.connect);
    assert_eq!(worker.state.compose_hello(worker.now).slept_ms, 480_000);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0], "what was queued is judged first");
    worker.open_with(vec![
        verdict(3, VerdictAction::Resume),
        verdict(2, VerdictAction::Kill { forget: true }),
    ]);
    assert_eq!((worker.started(), worker.killed()), (vec![3], vec![2]));
    worker.lose_stream();
    assert_eq!(worker.state.compose_hello(worker.now).slept_ms, 0);
}

#[test]
fn each_hello_has_a_higher_number_than_the_one_before() {
    let mut worker = Worker::connected();
    let first = worker.state.compose_hello(worker.now).stream_number;
    worker.lose_stream();
    assert_eq!(
        worker.state.compose_hello(worker.now).stream_number,
        first + 1
    );
}

#[test]
fn an_older_epoch_of_its_cluster_is_refused() {
    let mut worker = Worker::remembering(HOME, 9);
    worker.on(Event::Welcomed(Box::new(welcome(8))));
    assert!(worker.fx.close && !worker.state.is_open());
    assert!(worker.fx.notices.contains(&Notice::OldEpoch {
        cluster: HOME,
        epoch: 8,
        seen: 9
    }));
    assert!(worker.state.next_deadline().is_some(), "it tries again");
    let mut worker = Worker::remembering(HOME, 9);
    worker.on(Event::Welcomed(Box::new(welcome(9))));
    assert!(worker.state.is_open());
    assert_eq!(worker.fx.remember, None, "nothing new");
}

#[test]
fn a_newer_epoch_is_remembered() {
    let mut worker = Worker::remembering(HOME, 9);
    worker.on(Event::Welcomed(Box::new(welcome(12))));
    assert_eq!(
        worker.fx.remember,
        Some(Remembered {
            cluster: HOME,
            epoch: 12
        })
    );
    assert_eq!(worker.state.compose_hello(worker.now).seen_epoch, 12);
}

#[test]
fn another_cluster_ends_the_work_and_puts_the_results_of_the_former_aside() {
    let mut worker = Worker::new();
    worker.on(Event::SpoolLoaded(vec![finished(9)]));
    worker.tick();
    worker.open_with(vec![verdict(9, VerdictAction::SendResult)]);
    worker.offer(&[1, 2, 3]);
    worker.lose_stream();
    while !worker.fx.connect {
        worker.after(100);
    }
    worker.on(Event::Welcomed(Box::new(Welcome {
        cluster: OTHER,
        ..welcome(3)
    })));
    assert_eq!(worker.fx.spool_aside, Some(HOME));
    assert_eq!(
        worker.fx.remember,
        Some(Remembered {
            cluster: OTHER,
            epoch: 3
        })
    );
    assert_eq!(worker.killed(), [1, 2]);
    assert_eq!(
        worker.holds(),
        [],
        "it is none of the other cluster's business"
    );
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), []);
    worker.offer(&[10]);
    assert_eq!(worker.started(), [10]);
}

#[test]
fn a_superseded_worker_ends_its_work_and_never_comes_back() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.end(2, Outcome::Succeeded);
    worker.on(Event::Superseded {
        by: "mac, pid 7".to_owned(),
    });
    assert!(worker.fx.close);
    assert!(
        worker
            .fx
            .kills
            .iter()
            .any(|kill| kill.lease == lease(1) && kill.now)
    );
    assert_eq!(worker.written(), [2]);
    worker.end(1, Outcome::Killed);
    worker.end(3, Outcome::Killed);
    assert_eq!(worker.exits(), None, "results are not on disk yet");
    worker.on(Event::Spooled(lease(1)));
    worker.on(Event::Spooled(lease(2)));
    worker.on(Event::Spooled(lease(3)));
    assert_eq!(worker.exits().map(Exit::code), Some(78));
    assert!(!worker.after(60_000).connect);
}

#[test]
fn a_closed_stream_ends_no_lease() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.lose_stream();
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
