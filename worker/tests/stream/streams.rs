//! Opening a stream, losing it, opening another.

use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Said;
use openclaw_proto::v1::connect_response::Message as Say;
use tonic::Status;

use crate::coordinator::{Coordinator, lease, task, verdict, welcome};
use crate::program::Program;

#[tokio::test]
async fn hello_says_who_the_worker_is_what_it_has_and_what_it_can_do() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address).with("WORKER__TAGS", "laptop,office");
    let _running = program.start();
    let hello = coordinator.session().await.hello;
    assert_eq!((hello.protocol_min, hello.protocol_max), (1, 1));
    assert_eq!(
        (hello.node_id.as_str(), hello.node_id_explicit),
        ("tester", true)
    );
    assert_eq!(
        (hello.node_secret.len(), hello.cluster_id.as_str()),
        (32, "")
    );
    assert!(
        !hello.node_uid.is_empty()
            && !hello.boot_id.is_empty()
            && !hello.process_id.is_empty()
            && hello.pid > 0
    );
    let facts = hello.facts.unwrap();
    assert!(
        ["linux", "macos"].contains(&facts.platform.as_str()),
        "{facts:?}"
    );
    assert!(
        facts.cpus > 0 && facts.memory_bytes > 0 && facts.port == 18_789,
        "{facts:?}"
    );
    let inventory = hello.inventory.unwrap();
    assert_eq!((inventory.slots_milli, inventory.prefetch), (5_000, 64));
    assert_eq!(inventory.tags, ["laptop", "office"]);
    assert!(
        inventory
            .skills
            .iter()
            .any(|skill| skill.name == "echo" && skill.eligible)
    );
}

#[tokio::test]
async fn heartbeats_come_at_the_interval_of_welcome_and_list_what_is_held() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[task(1, "sleep", r#"{"seconds":60}"#)])
        .await;
    let heartbeat = session
        .until(|message| match message {
            Said::Heartbeat(heartbeat) if !heartbeat.held.is_empty() => Some(heartbeat),
            _ => None,
        })
        .await;
    assert_eq!(
        (heartbeat.seen_offer_seq, heartbeat.held[0].lease),
        (1, Some(lease(1)))
    );
    assert_eq!(heartbeat.held[0].state(), v1::LeaseState::Running);
    let next = session
        .until(|message| {
            if let Said::Heartbeat(next) = message {
                Some(next)
            } else {
                None
            }
        })
        .await;
    assert_eq!(next.seq, heartbeat.seq + 1);
}

#[tokio::test]
async fn a_stream_that_is_lost_in_any_way_is_opened_again_with_what_is_held() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    let first = session.hello.clone();
    session
        .offer(&[task(1, "sleep", r#"{"seconds":60}"#)])
        .await;
    session
        .until(|message| {
            if let Said::Updates(_) = message {
                Some(())
            } else {
                None
            }
        })
        .await;
    session.fail(Status::internal("lost")).await;

    let mut session = coordinator.session().await;
    let hello = session.hello.clone();
    assert_eq!(
        (&hello.node_uid, &hello.process_id),
        (&first.node_uid, &first.process_id)
    );
    assert_eq!((hello.held.len(), hello.seen_epoch), (1, 5));
    assert_eq!(hello.cluster_id, welcome().cluster_id);
    let resume = vec![verdict(1, v1::VerdictAction::Resume)];
    session
        .welcome(v1::Welcome {
            verdicts: resume,
            ..welcome()
        })
        .await;
    drop(session);

    let mut session = coordinator.session().await;
    let kill = vec![verdict(1, v1::VerdictAction::Kill)];
    session
        .welcome(v1::Welcome {
            verdicts: kill,
            ..welcome()
        })
        .await;
    assert_eq!(session.result().await.outcome(), v1::Outcome::Killed);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session.say(Say::Ping(v1::Ping { nonce: 42 })).await;
    let nonce = session
        .until(|message| {
            if let Said::Pong(pong) = message {
                Some(pong.nonce)
            } else {
                None
            }
        })
        .await;
    assert_eq!(nonce, 42);
}

#[tokio::test]
async fn a_coordinator_that_drains_is_dialed_again_when_it_said() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    let began = std::time::Instant::now();
    session
        .say(Say::Draining(v1::Draining {
            come_back_after_ms: 700,
            reason: "upgrade".to_owned(),
        }))
        .await;
    drop(session);
    coordinator.session().await;
    assert!(began.elapsed().as_millis() >= 700, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_older_epoch_is_refused_and_a_newer_one_accepted() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    drop(coordinator.welcomed().await);
    let mut session = coordinator.session().await;
    session
        .welcome(v1::Welcome {
            epoch: 4,
            ..welcome()
        })
        .await;
    program
        .logged("the coordinator is older than one seen before")
        .await;
    let mut session = coordinator.session().await;
    session
        .welcome(v1::Welcome {
            epoch: 6,
            ..welcome()
        })
        .await;
    session.offer(&[task(1, "echo", "{}")]).await;
    assert_eq!(session.result().await.outcome(), v1::Outcome::Succeeded);
}
