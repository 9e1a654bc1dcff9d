use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::{OnLost, Outcome, TaskStatus};
use openclaw_core::effect::Verdict;
use openclaw_core::event::Event;
use openclaw_core::model::{HeldState, NewTask, Policy};

use crate::harness::{Worker, World, held, task, worker, world};

fn offered() -> (World, Worker, TaskId, LeaseId) {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    (world, node, id, lease)
}

fn started() -> (World, Worker, TaskId, LeaseId) {
    let (mut world, node, id, lease) = offered();
    world.start(&node, lease);
    (world, node, id, lease)
}

const UNKNOWN: LeaseId = LeaseId {
    epoch: 9,
    counter: 9,
};

#[test]
fn the_verdict_table() {
    use HeldState::{Finished, Queued, Running};
    // The task's latest attempt.
    for (state, verdict) in [
        (Queued, Verdict::Resume),
        (Running, Verdict::Resume),
        (Finished, Verdict::SendResult),
    ] {
        let (mut world, mut node, _, lease) = offered();
        world.disconnect(&node);
        assert_eq!(
            world.reconnect(&mut node, &[held(lease, state)]),
            [(lease, verdict)],
            "{state:?}"
        );
    }
    // The same, when cancelling was asked for.
    let (mut world, mut node, id, lease) = started();
    world.cancel(id);
    world.disconnect(&node);
    assert_eq!(
        world.reconnect(&mut node, &[held(lease, Running)]),
        [(lease, Verdict::Kill)]
    );
    // Unknown, superseded or final.
    for (state, verdict) in [
        (Queued, Verdict::KillAndForget),
        (Running, Verdict::KillAndForget),
        (Finished, Verdict::Forget),
    ] {
        let (mut world, mut node, ..) = started();
        assert_eq!(
            world.reconnect(&mut node, &[held(UNKNOWN, state)])[0],
            (UNKNOWN, verdict),
            "{state:?}"
        );
    }
}

#[test]
fn open_here_and_missing_there_never_started_costs_nothing() {
    let (mut world, mut node, id, _) = offered();
    world.disconnect(&node);
    world.reconnect(&mut node, &[]);
    assert_eq!(world.one_offer(&node).task, id);
    assert_eq!(world.live(id).losses, 0);
}

#[test]
fn open_here_and_missing_there_started_is_lost() {
    let (mut world, mut node, id, _) = started();
    world.disconnect(&node);
    world.reconnect(&mut node, &[]);
    let offer = world.one_offer(&node);
    assert_eq!((offer.task, offer.attempt), (id, 2));
    assert_eq!(world.live(id).losses, 1);
}

#[test]
fn an_offer_still_on_its_way_is_not_missing() {
    let (mut world, mut node, id, lease) = offered();
    world.heartbeat(&mut node, 0, &[]);
    assert_eq!(
        world.live(id).lease,
        Some(lease),
        "the worker has not seen batch 1 yet"
    );
    world.heartbeat(&mut node, 1, &[]);
    assert_ne!(
        world.live(id).lease,
        Some(lease),
        "now it has, and does not hold the attempt"
    );
}

#[test]
fn a_closed_stream_ends_no_lease() {
    let (mut world, node, id, lease) = started();
    world.disconnect(&node);
    world.pass(89_000);
    assert_eq!(
        (world.status(id), world.live(id).lease),
        (TaskStatus::Running, Some(lease))
    );
}

#[test]
fn a_silent_worker_loses_its_task_to_another() {
    let (mut world, node, id, lease) = started();
    world.pass(20_000);
    let other = world.join(worker("other", &["echo"], 1));
    world.disconnect(&node);
    world.pass_with(&other, 69_000);
    assert!(world.offers(&other).is_empty(), "its lease still holds");
    world.pass_with(&other, 1_000);
    let offer = world.one_offer(&other);
    assert_eq!((offer.task, offer.attempt), (id, 2));
    assert_eq!(world.live(id).losses, 1);
    // The old worker comes back: its result is stale, by its lease.
    let mut node = node;
    assert_eq!(
        world.reconnect(&mut node, &[held(lease, HeldState::Running)]),
        [(lease, Verdict::KillAndForget)]
    );
    world.end(&node, lease, Outcome::Succeeded);
    assert_eq!(world.acks(&node), [lease]);
    assert_eq!(world.live(id).lease, Some(offer.lease));
}

#[test]
fn an_orphan_whose_node_comes_back_first_goes_on_as_if_nothing_happened() {
    let (mut world, mut node, id, lease) = started();
    world.disconnect(&node);
    world.pass(200_000);
    assert_eq!(world.status(id), TaskStatus::Pending);
    let verdicts = world.reconnect(&mut node, &[held(lease, HeldState::Running)]);
    assert_eq!(verdicts, [(lease, Verdict::Resume)]);
    assert_eq!(world.status(id), TaskStatus::Running);
    world.end(&node, lease, Outcome::Succeeded);
    let row = world.finished(id);
    assert_eq!(
        (row.status, row.losses, row.attempts.len()),
        (TaskStatus::Completed, 0, 1)
    );
}

#[test]
fn the_result_of_an_orphan_counts() {
    let (mut world, mut node, id, lease) = started();
    world.disconnect(&node);
    world.pass(200_000);
    world.reconnect(&mut node, &[held(lease, HeldState::Finished)]);
    world.end(&node, lease, Outcome::Succeeded);
    assert_eq!(world.status(id), TaskStatus::Completed);
}

#[test]
fn a_task_that_may_not_run_twice_ends_when_its_lease_does() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let policy = Policy {
        on_lost: OnLost::Fail,
        ..Policy::default()
    };
    let id = world.submit(NewTask {
        policy,
        ..task("echo")
    });
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.disconnect(&node);
    world.pass(90_000);
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Lost)
    );
}

#[test]
fn a_task_is_lost_only_so_often() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    for _ in 0..5 {
        let lease = world.one_offer(&node).lease;
        world.start(&node, lease);
        world.disconnect(&node);
        world.reconnect(&mut node, &[]);
    }
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Lost)
    );
    assert_eq!(world.finished(id).losses, 5);
}

#[test]
fn heartbeats_renew_what_they_list() {
    let (mut world, mut node, id, lease) = started();
    for _ in 0..60 {
        world.pass(5_000);
        world.heartbeat(&mut node, 1, &[held(lease, HeldState::Running)]);
    }
    assert_eq!(world.live(id).lease, Some(lease));
}

#[test]
fn three_missed_heartbeats_make_a_node_suspect_and_the_next_one_clears_it() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    world.pass(15_000);
    assert!(world.node("n").flags.contains_key("suspect"));
    let id = world.submit(task("echo"));
    assert!(world.offers(&node).is_empty(), "a suspect gets no new work");
    assert_eq!(world.code(id), ReasonCode::NodeSuspect);
    world.heartbeat(&mut node, 0, &[]);
    assert_eq!(world.one_offer(&node).task, id);
}

#[test]
fn a_node_that_was_suspect_once_becomes_suspect_again() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    world.pass(15_000);
    world.heartbeat(&mut node, 0, &[]);
    assert!(!world.node("n").flags.contains_key("suspect"));
    world.pass(15_000);
    assert!(world.node("n").flags.contains_key("suspect"));
}

#[test]
fn a_coordinator_that_slept_evicts_nobody() {
    let (mut world, node, id, lease) = started();
    world.now.mono = world.now.mono.plus(600_000);
    world.now.wall = world.now.wall.plus(600_000);
    world.event(Event::Stalled { gap_ms: 600_000 });
    assert_eq!(world.live(id).lease, Some(lease));
    assert!(!world.node(node.name).flags.contains_key("suspect"));
}

#[test]
fn a_heartbeat_that_tells_of_a_start_is_as_good_as_the_news_itself() {
    let (mut world, mut node, id, lease) = offered();
    world.heartbeat(&mut node, 1, &[held(lease, HeldState::Running)]);
    assert_eq!(world.status(id), TaskStatus::Running);
}
