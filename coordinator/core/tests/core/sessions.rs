use openclaw_common::code::{ErrorCode, ReasonCode};
use openclaw_common::id::ClusterId;
use openclaw_common::status::{NodeStatus, Outcome, TaskStatus};
use openclaw_core::effect::{Close, Send};
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{Heartbeat, HeldState, Hello};

use crate::harness::{held, task, worker, world};

#[test]
fn a_new_worker_is_welcome_and_told_the_rules() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    let welcome = world.welcome(node.session).unwrap();
    assert_eq!(
        (welcome.lease_ms, welcome.heartbeat_ms, welcome.suspect_ms),
        (90_000, 5_000, 15_000)
    );
    assert_eq!(world.node("n").status, NodeStatus::Online);
    assert!(world.disk.nodes.contains_key("n"));
}

#[test]
fn the_same_process_replaces_its_own_stream() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 5));
    let old = node.session;
    world.reconnect(&mut node, &[]);
    assert!(world.closes.contains(&(old, Close::Replaced)));
    // What the old stream still says is nobody's business.
    world.event(openclaw_core::event::Event::Session {
        session: old,
        event: SessionEvent::Closed,
    });
    assert_eq!(world.node("n").status, NodeStatus::Online);
}

#[test]
fn a_hello_that_was_long_on_its_way_is_not_taken_for_a_newer_one() {
    let mut world = world();
    let numbered = |stream| Hello {
        stream,
        ..worker("n", &["echo"], 5)
    };
    let node = world.join(numbered(2));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    // The first dial of the same process arrives only now; it knows nothing of the offer.
    let late = world.open(numbered(1));
    assert!(world.closes.contains(&(late, Close::Replaced)));
    assert_eq!(world.live(id).lease, Some(lease), "nothing is given up");
    // Nor does it count when the newer stream has ended meanwhile.
    world.disconnect(&node);
    world.open(numbered(1));
    assert_eq!(world.live(id).lease, Some(lease));
    assert_eq!(world.node("n").status, NodeStatus::Offline);
}

#[test]
fn a_process_that_dialed_twice_does_not_take_over_from_itself() {
    let mut world = world();
    let old = world.join(worker("n", &["echo"], 5));
    let restarted = |stream| Hello {
        process_id: "restarted".into(),
        stream,
        ..worker("n", &["echo"], 5)
    };
    let first = world.open(restarted(1));
    world.disconnect(&old);
    let second = world.join(restarted(2));
    assert!(world.closes.contains(&(first, Close::Replaced)));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&second).lease;
    world.pass(10_000);
    assert_eq!(world.live(id).lease, Some(lease));
    assert_eq!(world.node("n").status, NodeStatus::Online);
    // The first dial, should it come again, is older than the stream that is open.
    let again = world.open(restarted(1));
    assert!(world.closes.contains(&(again, Close::Replaced)));
}

#[test]
fn whoever_reconnects_while_another_process_waits_is_asked_again() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 5));
    let other = Hello {
        process_id: "another".into(),
        ..worker("n", &["echo"], 5)
    };
    let newcomer = world.open(other);
    world.sends.clear();
    world.reconnect(&mut node, &[]);
    let nonce = world.sends.iter().find_map(|(to, send)| match send {
        Send::Ping { nonce } if *to == node.session => Some(*nonce),
        _ => None,
    });
    let nonce = nonce.expect("a question on the new stream");
    world.say(&node, SessionEvent::Pong { nonce });
    assert_eq!(world.refusal(newcomer).code, ErrorCode::AlreadyExists);
}

#[test]
fn a_second_process_is_refused_while_the_first_one_lives() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    let second = Hello {
        process_id: "another".into(),
        ..worker("n", &["echo"], 5)
    };
    let newcomer = world.open(second);
    assert!(world.welcome(newcomer).is_none());
    let nonce = world.sends.iter().find_map(|(to, send)| match send {
        Send::Ping { nonce } if *to == node.session => Some(*nonce),
        _ => None,
    });
    world.say(
        &node,
        SessionEvent::Pong {
            nonce: nonce.unwrap(),
        },
    );
    let refusal = world.refusal(newcomer);
    assert_eq!(refusal.code, ErrorCode::AlreadyExists);
    assert!(refusal.detail.contains("process 10"), "{}", refusal.detail);
}

#[test]
fn a_second_process_takes_over_when_the_first_one_is_silent() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    world.pass(20_000);
    let newcomer = world.open(Hello {
        process_id: "another".into(),
        ..worker("n", &["echo"], 5)
    });
    assert!(world.welcome(newcomer).is_none());
    world.pass(2_000);
    assert!(world.welcome(newcomer).is_some());
    let superseded = world
        .closes
        .iter()
        .any(|(to, close)| *to == node.session && matches!(close, Close::Superseded { .. }));
    assert!(superseded);
}

#[test]
fn a_stream_that_has_only_just_opened_is_given_time_to_answer() {
    let mut world = world();
    world.join(worker("n", &["echo"], 5));
    let newcomer = world.open(Hello {
        process_id: "another".into(),
        ..worker("n", &["echo"], 5)
    });
    world.pass(14_000);
    assert!(
        world.welcome(newcomer).is_none(),
        "its Welcome may still wait for the disk"
    );
    world.pass(1_000);
    assert!(world.welcome(newcomer).is_some());
}

#[test]
fn whoever_waits_is_welcome_as_soon_as_nobody_is_left_to_ask() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    let newcomer = world.open(Hello {
        process_id: "another".into(),
        ..worker("n", &["echo"], 5)
    });
    world.disconnect(&node);
    assert!(world.welcome(newcomer).is_some());
}

#[test]
fn a_name_that_a_person_chose_is_not_given_twice() {
    let mut world = world();
    world.join(worker("n", &["echo"], 5));
    let session = world.open(Hello {
        uid: "other".into(),
        ..worker("n", &["echo"], 5)
    });
    assert_eq!(world.refusal(session).code, ErrorCode::AlreadyExists);
}

#[test]
fn a_host_name_that_is_taken_gets_a_number() {
    let mut world = world();
    world.join(worker("n", &["echo"], 5));
    let hello = Hello {
        uid: "other".into(),
        name_explicit: false,
        ..worker("n", &["echo"], 5)
    };
    let session = world.open(hello.clone());
    assert_eq!(&*world.welcome(session).unwrap().node, "n-2");
    // And keeps it.
    let again = world.open(hello);
    assert_eq!(&*world.welcome(again).unwrap().node, "n-2");
}

#[test]
fn a_wrong_secret_is_refused() {
    let mut world = world();
    world.join(worker("n", &["echo"], 5));
    let session = world.open(Hello {
        secret_hash: [0; 32],
        ..worker("n", &["echo"], 5)
    });
    assert_eq!(world.refusal(session).code, ErrorCode::PermissionDenied);
}

#[test]
fn a_worker_of_another_protocol_is_refused_with_both_ranges_and_listed() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 5));
    world.disconnect(&node);
    let session = world.open(Hello {
        protocol_min: 8,
        protocol_max: 9,
        ..worker("n", &["echo"], 5)
    });
    let refusal = world.refusal(session);
    assert_eq!(refusal.code, ErrorCode::FailedPrecondition);
    assert!(
        refusal.detail.contains("8 to 9") && refusal.detail.contains("1 to 1"),
        "{}",
        refusal.detail
    );
    assert_eq!(world.node("n").status, NodeStatus::Error);
    let id = world.submit(task("echo"));
    assert_eq!(world.code(id), ReasonCode::Version);
}

#[test]
fn a_worker_of_another_cluster_brings_nothing_with_it() {
    let mut world = world();
    let hello = Hello {
        cluster_id: Some(ClusterId(1_234)),
        held: vec![held(
            openclaw_common::id::LeaseId {
                epoch: 1,
                counter: 1,
            },
            HeldState::Running,
        )],
        ..worker("n", &["echo"], 5)
    };
    let node = world.join(hello);
    assert!(world.welcome(node.session).unwrap().verdicts.is_empty());
}

#[test]
fn a_worker_that_leaves_gets_nothing_more_and_is_told_the_last_offer() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 2));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.say(
        &node,
        SessionEvent::Leaving {
            reason: "stopping".into(),
        },
    );
    assert!(
        world
            .sends
            .contains(&(node.session, Send::LeavingAck { last_offer_seq: 1 }))
    );
    let second = world.submit(task("echo"));
    assert!(world.offers(&node).is_empty());
    assert_eq!(world.code(second), ReasonCode::Cordoned);
    assert_eq!(world.node("n").status, NodeStatus::Maintenance);
    world.end(&node, lease, Outcome::Succeeded);
    world.say(&node, SessionEvent::Bye);
    assert!(world.closes.contains(&(node.session, Close::Bye)));
    assert_eq!(
        (world.status(id), world.node("n").status),
        (TaskStatus::Completed, NodeStatus::Offline)
    );
}

#[test]
fn work_on_a_machine_that_announces_sleep_is_waited_for() {
    let mut world = world();
    let mut node = world.join(worker("n", &["echo"], 2));
    let id = world.submit(task("echo"));
    let lease = world.one_offer(&node).lease;
    world.start(&node, lease);
    world.say(
        &node,
        SessionEvent::GoingToSleep {
            released: Vec::new(),
        },
    );
    world.disconnect(&node);
    let other = world.join(worker("other", &["echo"], 2));
    world.pass(20 * 60_000);
    assert!(world.offers(&other).is_empty());
    world.reconnect(&mut node, &[held(lease, HeldState::Running)]);
    assert_eq!(
        (world.status(id), world.live(id).losses),
        (TaskStatus::Running, 0)
    );
}

#[test]
fn a_full_node_is_busy_and_an_absent_one_offline() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 1));
    world.submit(task("echo"));
    assert_eq!(world.node("n").status, NodeStatus::Busy);
    world.disconnect(&node);
    assert_eq!(world.node("n").status, NodeStatus::Offline);
}

#[test]
fn a_node_with_a_process_that_cannot_be_ended_shows_an_error_and_works_on_with_the_rest() {
    let mut world = world();
    let node = world.join(worker("n", &["echo"], 2));
    let heartbeat = Heartbeat {
        blocked_milli: 1_000,
        ..Heartbeat::default()
    };
    world.say(&node, SessionEvent::Heartbeat(heartbeat));
    assert_eq!(world.node("n").status, NodeStatus::Error);
    world.submit_all(vec![task("echo"), task("echo")]).unwrap();
    assert_eq!(world.offers(&node).len(), 1);
}
