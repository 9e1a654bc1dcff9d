//! Offers: what starts, in which order, and what is given back.

use openclaw_common::id::TaskId;
use openclaw_common::status::Outcome;

use super::fixture::{Worker, job, lease, released, reported};
use crate::model::{Demand, Job};
use crate::state::{Desired, Event, LeaseState, Message, Offered};

#[test]
fn an_offer_that_fits_starts_at_once() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    assert_eq!(worker.started(), [1]);
    assert_eq!(worker.holds(), [(1, LeaseState::Running)]);
}

#[test]
fn offers_beyond_the_slots_wait_and_start_in_order() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3, 4]);
    assert_eq!(worker.started(), [1, 2]);
    worker.end(2, Outcome::Succeeded);
    assert_eq!(worker.started(), [3]);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [4]);
}

#[test]
fn two_half_slots_share_one() {
    let mut worker = Worker::connected();
    worker.offer_jobs(vec![job(1, 500), job(2, 1_000), job(3, 500), job(4, 500)]);
    assert_eq!(worker.started(), [1, 2, 3]);
}

#[test]
fn a_task_that_does_not_fit_is_overtaken_but_not_for_ever() {
    let mut worker = Worker::connected();
    let wide = Job {
        spec: crate::model::Spec {
            demand: demand(2_000),
            ..job(2, 0).spec
        },
        ..job(2, 0)
    };
    worker.offer_jobs(vec![job(1, 1_000), wide]);
    assert_eq!(worker.started(), [1]);
    let mut overtakers = 0;
    for counter in 10..100 {
        worker.offer(&[counter]);
        if worker.started().is_empty() {
            break;
        }
        overtakers += 1;
        worker.end(counter, Outcome::Succeeded);
    }
    assert_eq!(overtakers, 32);
    worker.end(1, Outcome::Succeeded);
    assert_eq!(worker.started(), [2]);
}

fn demand(slots_milli: u32) -> Demand {
    Demand {
        slots_milli,
        ..Demand::default()
    }
}

#[test]
fn a_task_that_can_never_fit_is_given_back_with_the_reason() {
    let mut worker = Worker::connected();
    worker.offer_jobs(vec![job(1, 9_000)]);
    let said = worker.said();
    let reason = "needs 9000 thousandths of a slot, this node has 2000".to_owned();
    assert_eq!(
        said,
        [Message::Released {
            leases: vec![lease(1)],
            reason
        }]
    );
    assert_eq!(worker.holds(), []);
}

#[test]
fn an_offer_that_cannot_be_read_is_answered_as_not_startable() {
    let mut worker = Worker::connected();
    let why = "task_spec: not a message".to_owned();
    let offer = Offered::Unreadable {
        lease: lease(1),
        task_id: TaskId(1),
        attempt: 1,
        why,
    };
    worker.on(Event::Offers {
        seq: 1,
        offers: vec![offer],
        more: false,
    });
    assert_eq!(worker.reported(), [(1, Outcome::SpawnFailed)]);
}

#[test]
fn an_offer_that_comes_twice_runs_once() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.offer(&[1]);
    assert_eq!(worker.started(), [0; 0]);
    let again = Event::Offers {
        seq: 1,
        offers: vec![Offered::Job(Box::new(job(9, 1_000)))],
        more: false,
    };
    worker.on(again);
    assert_eq!(worker.started(), [0; 0], "a batch that was taken in is old");
}

#[test]
fn a_batch_counts_as_seen_when_all_of_it_has_come() {
    let mut worker = Worker::connected();
    worker.on(Event::Offers {
        seq: 1,
        offers: vec![Offered::Job(Box::new(job(1, 1_000)))],
        more: true,
    });
    assert_eq!(seen_in_heartbeat(&mut worker), 0);
    worker.on(Event::Offers {
        seq: 1,
        offers: vec![Offered::Job(Box::new(job(2, 1_000)))],
        more: false,
    });
    assert_eq!(worker.started(), [2]);
    assert_eq!(seen_in_heartbeat(&mut worker), 1);
}

fn seen_in_heartbeat(worker: &mut Worker) -> u64 {
    worker.after(5_000);
    let heartbeat = worker.said().into_iter().find_map(|message| match message {
        Message::Heartbeat(heartbeat) => Some(heartbeat.seen_offer_seq),
        _ => None,
    });
    heartbeat.unwrap()
}

#[test]
fn a_queue_that_is_full_gives_back_what_comes_on_top() {
    let mut worker = Worker::connected();
    let offers: Vec<u64> = (1..=200).collect();
    worker.offer(&offers);
    // Two slots hold four halves; with a prefetch of four that makes eight, doubled, and a slack of 64.
    assert_eq!(released(&worker.said()).len(), 200 - 80);
}

#[test]
fn a_revoked_attempt_is_given_back_when_queued_and_told_as_started_when_running() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.on(Event::Revoked(vec![lease(1), lease(3)]));
    let said = worker.said();
    assert_eq!(released(&said), [3]);
    let told = said.iter().any(
        |message| matches!(message, Message::Updates { started, .. } if started == &[lease(1)]),
    );
    assert!(told, "{said:?}");
    worker.end(1, Outcome::Succeeded);
    worker.end(2, Outcome::Succeeded);
    assert_eq!(worker.started(), [0; 0], "what was given back never starts");
}

#[test]
fn a_revoked_attempt_that_ended_is_answered_by_its_result() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.end(1, Outcome::Succeeded);
    worker.on(Event::Revoked(vec![lease(1)]));
    let said = worker.said();
    assert_eq!(
        (released(&said), reported(&said)),
        (vec![], vec![(1, Outcome::Succeeded)])
    );
}

#[test]
fn a_node_that_takes_no_work_gives_back_what_is_queued_and_what_comes() {
    let mut worker = Worker::connected();
    worker.offer(&[1, 2, 3]);
    worker.on(Event::Desired(Desired {
        generation: 2,
        accept: false,
        drain_deadline_ms: 0,
    }));
    assert_eq!(released(&worker.said()), [3]);
    worker.offer(&[4]);
    assert_eq!(released(&worker.said()), [4]);
    assert_eq!(
        worker.killed(),
        [0; 0],
        "without a deadline what runs may finish"
    );
    worker.on(Event::Desired(Desired {
        generation: 1,
        accept: true,
        drain_deadline_ms: 0,
    }));
    worker.offer(&[5]);
    assert_eq!(
        released(&worker.said()),
        [5],
        "an older level changes nothing"
    );
    worker.end(1, Outcome::Succeeded);
    worker.on(Event::Desired(Desired {
        generation: 3,
        accept: true,
        drain_deadline_ms: 0,
    }));
    worker.offer(&[6]);
    assert_eq!(worker.started(), [6]);
}

#[test]
fn a_drain_deadline_hands_back_what_still_runs() {
    let mut worker = Worker::connected();
    worker.offer(&[1]);
    worker.on(Event::Desired(Desired {
        generation: 2,
        accept: false,
        drain_deadline_ms: 20_000,
    }));
    worker.after(19_999);
    assert_eq!(worker.killed(), [0; 0]);
    worker.after(1);
    assert_eq!(worker.killed(), [1]);
    worker.end(1, Outcome::Killed);
    assert_eq!(worker.reported(), [(1, Outcome::HandedBack)]);
}
