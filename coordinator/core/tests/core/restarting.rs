use openclaw_common::code::ReasonCode;
use openclaw_common::status::{Outcome, TaskStatus};
use openclaw_common::time::Wall;
use openclaw_core::effect::Verdict;
use openclaw_core::model::{HeldState, NewTask, Policy};

use crate::harness::{held, task, worker, world};

#[test]
fn waiting_tasks_wait_on_in_their_order() {
    let mut world = world();
    let ids = world
        .submit_all((0..3).map(|_| task("echo")).collect())
        .unwrap();
    world.restart(1_000);
    let node = world.join(worker("n", &["echo"], 1));
    for id in ids {
        let offer = world.one_offer(&node);
        assert_eq!(offer.task, id.id);
        world.end(&node, offer.lease, Outcome::Succeeded);
    }
}

#[test]
fn what_runs_runs_on_with_its_lease() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.restart(2_000);
    assert_eq!(world.code(id), ReasonCode::Recovering);
    assert_eq!(
        world.reconnect(&mut node, &[held(lease, HeldState::Running)]),
        [(lease, Verdict::Resume)]
    );
    assert_eq!(world.status(id), TaskStatus::Running);
    world.end(&node, lease, Outcome::Succeeded);
    assert_eq!(
        (world.status(id), world.finished(id).attempts.len()),
        (TaskStatus::Completed, 1)
    );
}

#[test]
fn a_node_that_does_not_report_loses_its_task_after_a_full_lease_of_grace() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.restart(2_000);
    let other = world.join(worker("other", &["echo"], 1));
    world.pass_with(&other, 89_000);
    assert!(world.offers(&other).is_empty());
    world.pass_with(&other, 1_000);
    assert_eq!(world.one_offer(&other).task, id);
}

#[test]
fn a_node_that_was_silent_for_long_gets_a_short_grace() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.restart(300_000);
    let other = world.join(worker("other", &["echo"], 1));
    world.pass_with(&other, 15_000);
    assert_eq!(world.one_offer(&other).task, id);
}

#[test]
fn an_offer_that_never_left_costs_nothing() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    world.restart(1_000);
    world.reconnect(&mut node, &[]);
    assert_eq!(world.one_offer(&node).task, id);
    assert_eq!(world.live(id).losses, 0);
}

#[test]
fn an_attempt_that_may_have_run_in_a_dead_process_is_charged() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    world.restart(1_000);
    node.hello.process_id = "n-process-2".into();
    world.reconnect(&mut node, &[]);
    assert_eq!(world.live(id).losses, 1);
}

#[test]
fn retries_backoff_and_cancel_are_remembered() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 2));
    let failing = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.exit(&node, lease, 1);
    let cancelled = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.cancel(cancelled);
    world.restart(0);
    let live = world.live(failing);
    assert_eq!(
        (live.retries, live.attempts.len(), live.state.attempt),
        (1, 1, 1)
    );
    assert_eq!(world.code(cancelled), ReasonCode::Cancelling);
    assert_eq!(
        world.reconnect(&mut node, &[held(lease, HeldState::Running)]),
        [(lease, Verdict::Kill)]
    );
    world.end(&node, lease, Outcome::Killed);
    assert_eq!(world.status(cancelled), TaskStatus::Cancelled);
}

#[test]
fn a_gate_is_never_longer_after_a_restart_than_it_was() {
    let mut world = world();
    let at = Wall(world.now.wall.0 + 60_000);
    let id = world.submit(NewTask {
        not_before: Some(at),
        ..task("echo")
    });
    // The wall clock jumps back by a day: the task still waits a minute at most.
    world.now.wall = Wall(world.now.wall.0 - 86_400_000);
    world.restart(0);
    let node = world.join(worker("n", &["echo"], 1));
    assert!(world.offers(&node).is_empty());
    world.pass_with(&node, 60_000);
    assert_eq!(world.one_offer(&node).task, id);
}

#[test]
fn keys_are_remembered() {
    let mut world = world();
    let keyed = || NewTask {
        key: Some("k".into()),
        ..task("echo")
    };
    let id = world.submit(keyed());
    world.restart(0);
    assert_eq!(world.submit(keyed()), id);
}

#[test]
fn a_queue_timeout_goes_on_counting() {
    let mut world = world();
    let policy = Policy {
        queue_timeout_ms: Some(10_000),
        ..Policy::default()
    };
    let id = world.submit(NewTask {
        policy,
        ..task("echo")
    });
    world.restart(7_000);
    world.pass(3_000);
    assert_eq!(world.code(id), ReasonCode::QueueTimeout);
}

#[test]
fn rows_of_offers_without_a_live_attempt_are_cleaned_up() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let row = world.disk.offers.values().next().unwrap().clone();
    let lease = world.one_offer(&node).lease;
    world.end(&node, lease, Outcome::Succeeded);
    world.disk.offers.insert(row.id, row);
    world.restart(0);
    world.pass(0);
    world.submit(task("echo"));
    assert!(world.disk.offers.is_empty());
    assert_eq!(world.status(id), TaskStatus::Completed);
}

#[test]
fn the_same_events_at_the_same_times_give_the_same_effects() {
    let run = || {
        let mut world = world();
        let node = world.join(worker("n", &["echo"], 3));
        world
            .submit_all((0..5).map(|_| task("echo")).collect())
            .unwrap();
        for offer in world.offers(&node) {
            world.exit(&node, offer.lease, 1);
        }
        world.pass(100_000);
        format!(
            "{:?}{:?}{:?}",
            world.sends, world.notices, world.disk.states
        )
    };
    assert_eq!(run(), run());
}
