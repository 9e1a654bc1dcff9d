use openclaw_common::backoff::Backoff;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::TaskId;
use openclaw_common::status::{OnLost, Outcome, RetryOn, TaskStatus, TaskType};
use openclaw_core::effect::{Send, Verdict};
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{HeldState, NewTask, Policy};

use crate::harness::{Worker, World, held, task, worker, world};

fn running(policy: Policy) -> (World, Worker, TaskId) {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(NewTask {
        policy,
        ..task("echo")
    });
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    (world, node, id)
}

fn lease_of(world: &mut World, id: TaskId) -> openclaw_common::id::LeaseId {
    world.live(id).lease.unwrap()
}

#[test]
fn a_failed_attempt_backs_off_and_is_tried_again() {
    let (mut world, node, id) = running(Policy::default());
    let lease = lease_of(&mut world, id);
    world.exit(&node, lease, 1);
    assert_eq!(world.acks(&node), [lease]);
    assert_eq!(world.code(id), ReasonCode::Backoff);
    assert!(
        world.disk.states.contains_key(&id),
        "a failed attempt is on disk"
    );
    world.pass(1_000);
    let offer = world.one_offer(&node);
    assert_eq!((offer.task, offer.attempt), (id, 2));
    assert_eq!(world.live(id).retries, 1);
}

#[test]
fn retries_run_out() {
    let (mut world, node, id) = running(Policy {
        max_retries: 1,
        ..Policy::default()
    });
    for _ in 0..2 {
        let lease = lease_of(&mut world, id);
        world.exit(&node, lease, 3);
        world.pass_with(&node, 60_000);
    }
    let row = world.finished(id);
    assert_eq!(
        (row.status, row.code, row.attempts.len()),
        (TaskStatus::Failed, ReasonCode::Exit, 2)
    );
    assert_eq!(row.attempts[1].exit_code, Some(3));
}

#[test]
fn permanent_exit_codes_are_not_retried() {
    for code in [64, 70, 78] {
        let (mut world, node, id) = running(Policy::default());
        let lease = lease_of(&mut world, id);
        world.exit(&node, lease, code);
        assert_eq!(world.status(id), TaskStatus::Failed);
    }
}

#[test]
fn exit_75_is_retried_whatever_the_policy_says() {
    let (mut world, node, id) = running(Policy {
        retry_on: vec![RetryOn::Signal],
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    world.exit(&node, lease, 75);
    assert_eq!(world.code(id), ReasonCode::Backoff);
}

#[test]
fn codes_named_as_final_are_final() {
    let (mut world, node, id) = running(Policy {
        no_retry_on: vec![9],
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    world.exit(&node, lease, 9);
    assert_eq!(world.status(id), TaskStatus::Failed);
}

#[test]
fn only_named_kinds_of_failure_are_retried() {
    let (mut world, node, id) = running(Policy {
        retry_on: vec![RetryOn::Exit],
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    world.end(&node, lease, Outcome::Signal);
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Signal)
    );
}

#[test]
fn time_limits_end_as_timeout() {
    for (outcome, code) in [
        (Outcome::Timeout, ReasonCode::Timeout),
        (Outcome::ProgressTimeout, ReasonCode::ProgressTimeout),
    ] {
        let (mut world, node, id) = running(Policy {
            max_retries: 0,
            ..Policy::default()
        });
        let lease = lease_of(&mut world, id);
        world.end(&node, lease, outcome);
        assert_eq!(
            (world.status(id), world.code(id)),
            (TaskStatus::Timeout, code)
        );
    }
}

#[test]
fn what_cannot_start_goes_elsewhere_and_fails_on_the_third_node() {
    let mut world = world();
    let nodes = ["a", "b", "c"].map(|name| world.join(worker(name, &["echo"], 1)));
    let id = world.submit(task("echo"));
    for node in &nodes {
        let lease = world.one_offer(node).lease;
        world.end(node, lease, Outcome::SpawnFailed);
    }
    let row = world.finished(id);
    assert_eq!(
        (row.status, row.code, row.retries),
        (TaskStatus::Failed, ReasonCode::Spawn, 0)
    );
    assert!(row.detail.contains("a, b, c"), "{}", row.detail);
}

#[test]
fn a_skill_that_could_not_start_is_ineligible_there_until_it_is_advertised_anew() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.end(&node, lease, Outcome::SpawnFailed);
    assert_eq!(world.code(id), ReasonCode::SkillIneligible);
    assert!(world.offers(&node).is_empty());
    let inventory = Box::new(node.hello.inventory.clone());
    world.say(&node, SessionEvent::Inventory(inventory));
    assert_eq!(world.one_offer(&node).task, id);
}

#[test]
fn a_released_offer_costs_nothing_and_keeps_its_number() {
    let mut world = world();
    let a = world.join(worker("a", &["echo"], 1));
    let id = world.submit(task("echo"));
    let offer = world.one_offer(&a);
    world.say(
        &a,
        SessionEvent::Released {
            leases: vec![offer.lease],
            reason: "".into(),
        },
    );
    let again = world.one_offer(&a);
    assert_eq!((again.task, again.attempt), (id, 1));
    assert_ne!(again.lease, offer.lease);
}

#[test]
fn a_node_that_refuses_an_offer_is_not_asked_again_at_once() {
    let mut world = world();
    let a = world.join(worker("a", &["echo"], 1));
    world.submit(task("echo"));
    let offer = world.one_offer(&a);
    world.say(
        &a,
        SessionEvent::Released {
            leases: vec![offer.lease],
            reason: "no room".into(),
        },
    );
    assert!(world.offers(&a).is_empty());
    world.pass(1_000);
    assert_eq!(world.offers(&a).len(), 1);
}

#[test]
fn work_that_is_handed_back_costs_nothing() {
    let (mut world, node, id) = running(Policy {
        max_retries: 0,
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    world.end(&node, lease, Outcome::HandedBack);
    let offer = world.one_offer(&node);
    assert_eq!((offer.task, offer.attempt), (id, 2));
    let live = world.live(id);
    assert_eq!((live.retries, live.losses), (0, 0));
}

#[test]
fn work_that_may_not_run_twice_fails_when_handed_back() {
    let (mut world, node, id) = running(Policy {
        on_lost: OnLost::Fail,
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    world.end(&node, lease, Outcome::HandedBack);
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Lost)
    );
}

#[test]
fn a_daemon_is_started_again_however_it_ends() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let policy = Policy {
        max_retries: 0,
        backoff: Backoff {
            base_ms: 1_000,
            cap_ms: 1_000,
        },
        ..Policy::default()
    };
    let id = world.submit(NewTask {
        kind: TaskType::Daemon,
        policy,
        ..task("echo")
    });
    for outcome in [Outcome::Succeeded, Outcome::Exit, Outcome::Signal] {
        let lease = world.one_offer(&node).lease;
        world.start(&node, lease);
        world.end(&node, lease, outcome);
        world.pass(1_000);
    }
    assert_eq!(world.one_offer(&node).task, id);
}

#[test]
fn a_worker_process_that_dies_three_times_under_a_task_was_poisoned() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("echo"));
    for round in 2..5 {
        let lease = world.one_offer(&node).lease;
        world.start(&node, lease);
        world.pass(1_500);
        world.disconnect(&node);
        node.hello.process_id = format!("n-process-{round}").into();
        world.reconnect(&mut node, &[]);
    }
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Poison)
    );
}

#[test]
fn an_attempt_that_outlives_its_timeout_is_killed_but_not_declared_ended() {
    let (mut world, mut node, id) = running(Policy {
        timeout_ms: Some(5_000),
        max_retries: 0,
        ..Policy::default()
    });
    let lease = lease_of(&mut world, id);
    for _ in 0..15 {
        world.pass(5_000);
        world.heartbeat(&mut node, 1, &[held(lease, HeldState::Running)]);
    }
    assert_eq!(
        world.status(id),
        TaskStatus::Running,
        "only its worker can say that it has ended"
    );
    world.sends.clear();
    let verdicts = world.heartbeat(&mut node, 1, &[held(lease, HeldState::Running)]);
    assert_eq!(verdicts, [(lease, Verdict::Kill)]);
    world.end(&node, lease, Outcome::Killed);
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Timeout, ReasonCode::Timeout)
    );
}

#[test]
fn a_result_that_comes_twice_counts_once() {
    let (mut world, node, id) = running(Policy::default());
    let lease = lease_of(&mut world, id);
    world.end(&node, lease, Outcome::Succeeded);
    world.exit(&node, lease, 1);
    assert_eq!(
        world.acks(&node),
        [lease, lease],
        "both are acknowledged, so that the worker forgets them"
    );
    assert_eq!(world.status(id), TaskStatus::Completed);
}

#[test]
fn a_queued_offer_past_its_queue_timeout_is_asked_back() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 1));
    let policy = Policy {
        queue_timeout_ms: Some(3_000),
        ..Policy::default()
    };
    let id = world.submit(NewTask {
        policy,
        ..task("echo")
    });
    let lease = world.one_offer(&node).lease;
    world.heartbeat(&mut node, 1, &[held(lease, HeldState::Queued)]);
    world.pass(3_000);
    assert!(
        world
            .sends
            .contains(&(node.session, Send::Revoke(vec![lease])))
    );
    assert_eq!(world.status(id), TaskStatus::Scheduled);
    world.say(
        &node,
        SessionEvent::Released {
            leases: vec![lease],
            reason: "".into(),
        },
    );
    assert_eq!(world.code(id), ReasonCode::QueueTimeout);
}

#[test]
fn a_command_that_cannot_start_is_tried_three_times_in_all() {
    let mut world = world();
    let mut hello = worker("n", &[], 1);
    hello.inventory.allow_commands = true;
    let node = world.join(hello);
    let mut command = task("echo");
    command.requirements.skill = None;
    command.requirements.skills = Vec::new();
    command.requirements.command = true;
    let id = world.submit(command);
    for _ in 0..3 {
        let lease = world.one_offer(&node).lease;
        world.end(&node, lease, Outcome::SpawnFailed);
        world.pass(1_000);
    }
    assert_eq!(
        (world.status(id), world.code(id)),
        (TaskStatus::Failed, ReasonCode::Spawn)
    );
}
