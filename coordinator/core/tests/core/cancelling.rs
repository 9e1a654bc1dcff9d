use openclaw_common::code::{ErrorCode, ReasonCode};
use openclaw_common::id::TaskId;
use openclaw_common::status::{Outcome, TaskStatus};
use openclaw_core::effect::{Send, Verdict};
use openclaw_core::event::SessionEvent;
use openclaw_core::model::HeldState;

use crate::harness::{held, principal, task, worker, world};

#[test]
fn a_waiting_task_is_cancelled_at_once_and_never_runs() {
    let mut world = world();
    let id = world.submit(task("echo"));
    assert_eq!(world.cancel(id).status, TaskStatus::Cancelled);
    let node = world.join(worker("n", &["echo"], 1));
    assert!(world.offers(&node).is_empty());
    assert_eq!(&*world.finished(id).detail, "enough");
}

#[test]
fn a_running_task_is_cancelled_when_its_worker_says_so() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    let state = world.cancel(id);
    assert_eq!(
        (state.status, state.code),
        (TaskStatus::Running, ReasonCode::Cancelling)
    );
    assert!(
        world
            .sends
            .contains(&(node.session, Send::Verdicts(vec![(lease, Verdict::Kill)])))
    );
    world.end(&node, lease, Outcome::Killed);
    assert_eq!(world.status(id), TaskStatus::Cancelled);
}

#[test]
fn a_queued_offer_is_cancelled_when_it_is_released() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    assert_eq!(world.cancel(id).status, TaskStatus::Scheduled);
    world.say(
        &node,
        SessionEvent::Released {
            leases: vec![lease],
            reason: "".into(),
        },
    );
    assert_eq!(world.status(id), TaskStatus::Cancelled);
    assert!(world.offers(&node).is_empty());
}

#[test]
fn a_process_that_ended_by_itself_first_keeps_its_own_outcome() {
    for (outcome, status) in [
        (Outcome::Succeeded, TaskStatus::Completed),
        (Outcome::Exit, TaskStatus::Failed),
    ] {
        let mut world = world();
        let node = world.join(worker("n", &["echo"], 1));
        let id = world.submit(task("echo"));
        let lease = world.one_offer(&node).lease;
        world.start(&node, lease);
        world.cancel(id);
        world.end(&node, lease, outcome);
        assert_eq!(world.status(id), status, "and is not tried again");
    }
}

#[test]
fn while_its_node_is_away_a_task_is_cancelled_at_once_and_killed_on_return() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.disconnect(&node);
    assert_eq!(world.cancel(id).status, TaskStatus::Cancelled);
    let verdicts = world.reconnect(&mut node, &[held(lease, HeldState::Running)]);
    assert_eq!(verdicts, [(lease, Verdict::KillAndForget)]);
}

#[test]
fn cancelling_twice_is_cancelling_once() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    let first = world.cancel(id);
    world.sends.clear();
    assert_eq!(world.cancel(id), first);
    assert!(world.sends.is_empty(), "asked once");
}

#[test]
fn a_cancelled_task_is_never_queued_again() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.cancel(id);
    world.disconnect(&node);
    world.pass(90_000);
    assert_eq!(world.status(id), TaskStatus::Cancelled);
}

#[test]
fn a_task_in_backoff_is_cancelled_at_once() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.exit(&node, lease, 1);
    assert_eq!(world.cancel(id).status, TaskStatus::Cancelled);
    assert!(world.disk.states.is_empty());
}

#[test]
fn what_is_not_live_is_not_found() {
    let mut world = world();
    let refusal = world.cancel_as(principal(), TaskId(404)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotFound);
}
