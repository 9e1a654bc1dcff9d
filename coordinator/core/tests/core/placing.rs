use openclaw_common::code::ReasonCode;
use openclaw_common::status::{Outcome, Priority, Strategy, TaskStatus, TaskType};
use openclaw_common::time::Wall;
use openclaw_core::effect::{Offer, Send};
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{Hello, NewTask, Requirements};

use crate::harness::{Worker, World, task, worker, world};

fn with(change: impl FnOnce(&mut Requirements)) -> NewTask {
    let mut task = task("echo");
    change(&mut task.requirements);
    task
}

#[test]
fn a_task_goes_to_a_node_that_has_its_skill() {
    let mut world = world();
    let other = world.join(worker("other", &["render"], 5));
    let right = world.join(worker("right", &["echo"], 5));
    let id = world.submit(task("echo"));
    assert!(world.offers(&other).is_empty());
    let offer = world.one_offer(&right);
    assert_eq!((offer.task, offer.attempt), (id, 1));
    assert_eq!(
        world.disk.offers.len(),
        1,
        "the decision is on disk with the offer"
    );
    assert_eq!(world.status(id), TaskStatus::Scheduled);
}

#[test]
fn the_straight_path_costs_two_rows_and_leaves_nothing_behind() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    assert_eq!(world.status(id), TaskStatus::Running);
    world.end(&node, lease, Outcome::Succeeded);
    assert_eq!(world.acks(&node), [lease]);
    assert_eq!(world.status(id), TaskStatus::Completed);
    assert!(world.disk.offers.is_empty() && world.disk.states.is_empty());
    assert_eq!(world.core.live_tasks(), 0);
}

#[test]
fn a_node_never_gets_more_than_its_slots() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 2));
    world
        .submit_all(vec![task("echo"), task("echo"), task("echo")])
        .unwrap();
    let offers = world.offers(&node);
    assert_eq!(offers.len(), 2);
    world.end(&node, offers[0].lease, Outcome::Succeeded);
    assert_eq!(world.offers(&node).len(), 1);
}

#[test]
fn work_that_waits_for_disks_takes_half_a_slot() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let half = || with(|req| req.demand.slots_milli = 500);
    world.submit_all(vec![half(), half(), half()]).unwrap();
    assert_eq!(world.offers(&node).len(), 2);
}

#[test]
fn cores_run_out_before_slots() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 10));
    let heavy = || with(|req| req.demand.cpu_milli = 2_000);
    let ids = world.submit_all(vec![heavy(), heavy(), heavy()]).unwrap();
    assert_eq!(world.offers(&node).len(), 2, "four cores");
    assert_eq!(world.code(ids[2].id), ReasonCode::Resources);
}

#[test]
fn the_least_busy_node_is_chosen() {
    let mut world = world();
    let a = world.join(worker("a", &["echo"], 5));
    let b = world.join(worker("b", &["echo"], 5));
    world
        .submit_all((0..4).map(|_| task("echo")).collect())
        .unwrap();
    assert_eq!((world.offers(&a).len(), world.offers(&b).len()), (2, 2));
}

#[test]
fn a_task_may_take_turns_between_nodes() {
    let mut world = world();
    let nodes = ["a", "b", "c"].map(|name| world.join(worker(name, &["echo"], 5)));
    let turn = || with(|req| req.strategy = Some(Strategy::RoundRobin));
    world.submit_all((0..6).map(|_| turn()).collect()).unwrap();
    let counts = nodes.each_ref().map(|node| world.offers(node).len());
    assert_eq!(counts, [2, 2, 2]);
}

#[test]
fn tags_and_a_named_node_are_hard() {
    let mut world = world();
    let mut tagged = worker("tagged", &["echo"], 5);
    tagged.inventory.tags = vec!["gpu".into()];
    let plain = world.join(worker("plain", &["echo"], 5));
    let tagged = world.join(tagged);
    world.submit(with(|req| req.tags = vec!["gpu".into()]));
    world.submit(with(|req| req.node = Some("plain".into())));
    assert_eq!(
        (world.offers(&tagged).len(), world.offers(&plain).len()),
        (1, 1)
    );
}

#[test]
fn a_version_requirement_is_kept() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    let ok = world.submit(with(|req| {
        req.skills = vec!["echo >= 1.1".parse().unwrap()];
    }));
    let new = world.submit(with(|req| req.skills = vec!["echo >= 2".parse().unwrap()]));
    assert_eq!(world.one_offer(&node).task, ok);
    assert_eq!(world.code(new), ReasonCode::SkillIneligible);
}

#[test]
fn priorities_are_strict_and_users_take_turns() {
    let mut world = world();
    let of = |user: &str, priority| NewTask {
        user: user.into(),
        priority,
        ..task("echo")
    };
    let low = world.submit(of("ann", Priority::Low));
    let first = world.submit(of("ann", Priority::Normal));
    let second = world.submit(of("ann", Priority::Normal));
    let bens = world.submit(of("ben", Priority::Normal));
    let critical = world.submit(of("ben", Priority::Critical));
    let node = world.join(worker("n", &["echo"], 1));
    let mut order = Vec::new();
    for _ in 0..5 {
        let offer = world.one_offer(&node);
        order.push(offer.task);
        world.end(&node, offer.lease, Outcome::Succeeded);
    }
    assert_eq!(order, [critical, first, bens, second, low]);
}

#[test]
fn interactive_work_goes_ahead_of_the_rest_of_its_user() {
    let mut world = world();
    world.submit(task("echo"));
    let urgent = world.submit(NewTask {
        kind: TaskType::Interactive,
        ..task("echo")
    });
    let node = world.join(worker("n", &["echo"], 1));
    assert_eq!(world.one_offer(&node).task, urgent);
}

#[test]
fn a_task_that_nobody_can_run_holds_up_nobody() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let stuck = world.submit(task("nobody-has-it"));
    let id = world.submit(task("echo"));
    assert_eq!(world.one_offer(&node).task, id);
    assert_eq!(world.code(stuck), ReasonCode::NoNodeWithSkill);
}

#[test]
fn a_waiting_task_is_placed_when_a_node_learns_its_skill() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let id = world.submit(task("render"));
    assert!(world.offers(&node).is_empty());
    let inventory = worker("n", &["echo", "render"], 1).inventory;
    world.say(
        &node,
        openclaw_core::event::SessionEvent::Inventory(Box::new(inventory)),
    );
    assert_eq!(world.one_offer(&node).task, id);
}

#[test]
fn a_task_for_later_waits_for_its_time() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    let at = Wall(world.now.wall.0 + 8_000);
    let id = world.submit(NewTask {
        not_before: Some(at),
        ..task("echo")
    });
    assert!(world.offers(&node).is_empty());
    assert_eq!(world.code(id), ReasonCode::NotBefore);
    world.pass(8_000);
    assert_eq!(world.one_offer(&node).task, id);
}

fn prefetching(name: &'static str, prefetch: u32) -> Hello {
    let mut hello = worker(name, &["echo"], 1);
    hello.inventory.prefetch = prefetch;
    hello
}

/// A node that is known to be quick, with one running attempt and the rest of its offers queued.
fn quick_node(world: &mut World, prefetch: u32) -> (Worker, Vec<Offer>) {
    let node = world.join(prefetching("quick", prefetch));
    world.submit(task("echo"));
    let first = world.one_offer(&node).lease;
    world.end_after(&node, first, 1);
    world
        .submit_all((0..5).map(|_| task("echo")).collect())
        .unwrap();
    let offers = world.offers(&node);
    world.start(&node, offers[0].lease);
    (node, offers)
}

#[test]
fn nothing_queues_behind_work_of_unknown_length() {
    let mut world = world();
    let node = world.join(prefetching("n", 2));
    world
        .submit_all((0..5).map(|_| task("echo")).collect())
        .unwrap();
    assert_eq!(world.offers(&node).len(), 1);
}

#[test]
fn a_node_with_short_tasks_queues_a_few_more_than_it_can_run() {
    let mut world = world();
    let (_, offers) = quick_node(&mut world, 2);
    assert_eq!(offers.len(), 3);
}

#[test]
fn a_node_with_long_tasks_queues_none() {
    let mut world = world();
    let node = world.join(prefetching("n", 2));
    world
        .submit_all((0..5).map(|_| task("echo")).collect())
        .unwrap();
    let lease = world.one_offer(&node).lease;
    world.end_after(&node, lease, 60_000);
    assert_eq!(world.offers(&node).len(), 1);
}

#[test]
fn offers_that_are_stuck_are_asked_back_for_an_idle_node() {
    let mut world = world();
    let (node, offers) = quick_node(&mut world, 2);
    let other = world.join(worker("idle", &["echo"], 1));
    let taken = world.one_offer(&other);
    world.end(&other, taken.lease, Outcome::Succeeded);
    let taken = world.one_offer(&other);
    world.end(&other, taken.lease, Outcome::Succeeded);
    world.sends.clear();
    world.pass(100);
    let revoked = offers[2].lease;
    assert_eq!(
        world.sends,
        [(node.session, Send::Revoke(vec![revoked]))],
        "one idle slot, one offer"
    );
    world.say(
        &node,
        SessionEvent::Released {
            leases: vec![revoked],
            reason: "".into(),
        },
    );
    assert_eq!(world.one_offer(&other).task, offers[2].task);
}

#[test]
fn many_classes_and_nodes_agree_with_the_few() {
    let mut world = world();
    let nodes: Vec<_> = (0..20)
        .map(|i| {
            world.join(worker(
                Box::leak(format!("n{i}").into_boxed_str()),
                &["echo"],
                2,
            ))
        })
        .collect();
    world
        .submit_all((0..40).map(|_| task("echo")).collect())
        .unwrap();
    for node in &nodes {
        assert_eq!(world.offers(node).len(), 2);
    }
}
