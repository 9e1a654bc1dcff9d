use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::model::{NewTask, Policy, Principal, Requirements, Role};
use openclaw_core::settings::Settings;

use crate::harness::{task, world, world_with};

fn keyed(key: &str, body_hash: u128) -> NewTask {
    NewTask {
        key: Some(key.into()),
        body_hash,
        ..task("echo")
    }
}

#[test]
fn an_accepted_task_is_written_before_anything_is_answered() {
    let mut world = world();
    let id = world.submit(task("echo"));
    assert_eq!(world.disk.submits[&id].task.id, id);
    assert_eq!(world.status(id), TaskStatus::Pending);
}

#[test]
fn the_same_key_names_the_same_task() {
    let mut world = world();
    let first = world.submit(keyed("k", 1));
    let again = world.submit_all(vec![keyed("k", 1)]).unwrap()[0];
    assert_eq!((again.id, again.existing), (first, true));
    assert_eq!(world.core.live_tasks(), 1);
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let mut world = world();
    world.submit(keyed("k", 1));
    let refusal = world
        .submit_all(vec![task("echo"), keyed("k", 2)])
        .unwrap_err();
    assert_eq!(
        (refusal.code, refusal.index),
        (ErrorCode::AlreadyExists, Some(1))
    );
    assert_eq!(world.core.live_tasks(), 1, "all or nothing");
}

#[test]
fn a_key_belongs_to_its_user() {
    let mut world = world();
    world.submit(keyed("k", 1));
    let other = NewTask {
        user: "ben".into(),
        ..keyed("k", 2)
    };
    assert!(!world.submit_all(vec![other]).unwrap()[0].existing);
}

#[test]
fn one_key_twice_in_a_request_makes_one_task() {
    let mut world = world();
    let accepted = world
        .submit_all(vec![keyed("k", 1), keyed("k", 1)])
        .unwrap();
    assert_eq!(accepted[0].id, accepted[1].id);
    assert!(!accepted[0].existing && accepted[1].existing);
}

#[test]
fn a_chosen_id_is_taken_once() {
    let mut world = world();
    let chosen = |body_hash| NewTask {
        id: TaskId(77),
        id_given: true,
        body_hash,
        ..task("echo")
    };
    world.submit(chosen(1));
    assert!(world.submit_all(vec![chosen(1)]).unwrap()[0].existing);
    assert_eq!(
        world.submit_all(vec![chosen(2)]).unwrap_err().code,
        ErrorCode::AlreadyExists
    );
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let mut world = world_with(Settings {
        max_tasks: 2,
        ..Settings::default()
    });
    world.submit(task("echo"));
    let refusal = world
        .submit_all(vec![task("echo"), task("echo")])
        .unwrap_err();
    assert_eq!(refusal.code, ErrorCode::QueueFull);
    assert!(
        refusal.detail.contains("at most 2 tasks (limits.queue)"),
        "{}",
        refusal.detail
    );
}

#[test]
fn too_many_classes_are_refused_and_old_ones_make_room() {
    let mut world = world_with(Settings {
        max_classes: 2,
        ..Settings::default()
    });
    let a = world.submit(task("a"));
    world.submit(task("b"));
    assert_eq!(
        world.submit_all(vec![task("c")]).unwrap_err().code,
        ErrorCode::QueueFull
    );
    world.cancel(a);
    world.submit(task("c"));
}

#[test]
fn only_an_admin_submits_for_another_user() {
    let mut world = world();
    let ben = Principal {
        user: "ben".into(),
        role: Role::Submit,
    };
    let id = world.submit(task("echo"));
    assert_eq!(
        world.cancel_as(ben, id).unwrap_err().code,
        ErrorCode::PermissionDenied
    );
}

#[test]
fn a_task_that_waits_too_long_for_its_first_start_times_out() {
    let mut world = world();
    let policy = Policy {
        queue_timeout_ms: Some(60_000),
        ..Policy::default()
    };
    let id = world.submit(NewTask {
        policy,
        ..task("nobody-has-it")
    });
    world.pass(59_999);
    assert_eq!(world.status(id), TaskStatus::Pending);
    world.pass(1);
    assert_eq!(world.status(id), TaskStatus::Timeout);
    assert_eq!(&*world.finished(id).detail, "did not start within 60 s");
}

#[test]
fn requirements_tell_classes_apart() {
    let base = task("echo").requirements;
    let tagged = Requirements {
        tags: vec!["gpu".into()],
        ..base.clone()
    };
    assert_ne!(base, tagged);
}

fn child(parent: TaskId) -> NewTask {
    NewTask {
        parent: Some(parent),
        ..task("echo")
    }
}

#[test]
fn tasks_submit_each_other_three_deep_and_no_deeper() {
    let mut world = world();
    let mut last = world.submit(task("echo"));
    for _ in 0..3 {
        last = world.submit(child(last));
    }
    world.restart(0);
    let refusal = world.submit_all(vec![child(last)]).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::FailedPrecondition);
    assert!(
        refusal.detail.contains("4 deep; the limit is 3"),
        "{}",
        refusal.detail
    );
}

#[test]
fn a_task_has_a_hundred_descendants_at_most() {
    let mut world = world();
    let root = world.submit(task("echo"));
    let first = world.submit(child(root));
    world
        .submit_all((0..98).map(|_| child(first)).collect())
        .unwrap();
    assert!(
        world.submit_all(vec![child(root), child(root)]).is_err(),
        "all or nothing"
    );
    let last = world.submit(child(root));
    world.cancel(last);
    assert!(
        world.submit_all(vec![child(root)]).is_err(),
        "those that have ended count too"
    );
}

#[test]
fn only_a_live_task_has_children() {
    let mut world = world();
    let root = world.submit(task("echo"));
    world.cancel(root);
    let refusal = world.submit_all(vec![child(root)]).unwrap_err();
    assert!(
        refusal.detail.contains("submit without `parent`"),
        "{}",
        refusal.detail
    );
}
