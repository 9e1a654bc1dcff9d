//! Stopping: by request, at once, with and without a coordinator.

use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Said;
use openclaw_proto::v1::connect_response::Message as Say;

use crate::coordinator::{Coordinator, command, lease, task};
use crate::program::Program;

#[tokio::test]
async fn an_idle_worker_leaves_says_goodbye_and_exits_with_0() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let mut running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .until(|message| matches!(message, Said::Heartbeat(_)).then_some(()))
        .await;
    running.signal("-TERM");
    session
        .until(|message| matches!(message, Said::Leaving(_)).then_some(()))
        .await;
    session
        .say(Say::LeavingAck(v1::LeavingAck { last_offer_seq: 0 }))
        .await;
    session
        .until(|message| matches!(message, Said::Bye(_)).then_some(()))
        .await;
    assert!(session.heard().await.is_none(), "Bye is the last word");
    drop(session);
    assert_eq!(running.exit().await.code(), Some(0));
}

#[tokio::test]
async fn what_outlives_the_drain_time_is_handed_back_and_what_waits_is_released() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address)
        .with("WORKER__DRAIN_TIMEOUT", "1")
        .with("WORKER__MAX_CONCURRENT_TASKS", "1")
        .with("WORKER__ALLOW_COMMANDS", "true");
    let mut running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[command(1, &["sleep", "60"]), task(2, "echo", "{}")])
        .await;
    session
        .until(|message| matches!(message, Said::Updates(_)).then_some(()))
        .await;
    running.signal("-TERM");
    session
        .until(|message| matches!(message, Said::Leaving(_)).then_some(()))
        .await;
    let released = session.until(|message| {
        if let Said::Released(released) = message {
            Some(released)
        } else {
            None
        }
    });
    assert_eq!(released.await.leases, [lease(2)]);
    session
        .say(Say::LeavingAck(v1::LeavingAck { last_offer_seq: 1 }))
        .await;
    let result = session.result().await;
    assert_eq!(
        (result.lease, result.outcome()),
        (Some(lease(1)), v1::Outcome::HandedBack)
    );
    session.ack(&[1]).await;
    session
        .until(|message| matches!(message, Said::Bye(_)).then_some(()))
        .await;
    drop(session);
    assert_eq!(running.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_request_ends_at_once_and_keeps_the_result_for_the_next_start() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address).with("WORKER__ALLOW_COMMANDS", "true");
    let mut running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[command(1, &["sh", "-c", "trap '' TERM; sleep 60"])])
        .await;
    session
        .until(|message| matches!(message, Said::Updates(_)).then_some(()))
        .await;
    running.signal("-INT");
    session
        .until(|message| matches!(message, Said::Leaving(_)).then_some(()))
        .await;
    running.signal("-INT");
    let result = session.result().await;
    assert_eq!(result.outcome(), v1::Outcome::HandedBack);
    assert_eq!(running.exit().await.code(), Some(0));
    assert_eq!(program.spooled(), 1);
}

#[tokio::test]
async fn without_a_coordinator_a_stop_is_quick() {
    let program = Program::new("127.0.0.1:1".parse().unwrap());
    let mut running = program.start();
    program.logged("nothing listens at 127.0.0.1:1").await;
    running.signal("-TERM");
    assert_eq!(running.exit().await.code(), Some(0));
}
