//! Output travels on a connection of its own.

use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Said;

use crate::coordinator::{Coordinator, command};
use crate::program::Program;

#[tokio::test]
async fn output_arrives_in_order_on_a_second_connection_and_ends_where_the_result_says() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address).with("WORKER__ALLOW_COMMANDS", "true");
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[command(1, &["sh", "-c", "seq 1 20000"])])
        .await;
    let result = session.result().await;
    assert_eq!(result.outcome(), v1::Outcome::Succeeded);
    let (mut text, mut last) = (Vec::new(), false);
    while !last {
        let push = coordinator.push().await;
        assert_ne!(push.peer, session.peer, "a connection of its own");
        assert_eq!(
            (push.request.lease, push.request.attempt),
            (result.lease, 1)
        );
        for chunk in &push.request.chunks {
            assert_eq!(
                (chunk.stream(), chunk.offset),
                (v1::LogStream::Stdout, text.len() as u64)
            );
            text.extend_from_slice(&chunk.data);
        }
        last = push.request.last;
    }
    assert_eq!(text.len() as u64, result.stdout_bytes);
    assert!(text.ends_with(b"19999\n20000\n"));
}

#[tokio::test]
async fn a_flood_of_output_delays_no_heartbeat() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address).with("WORKER__ALLOW_COMMANDS", "true");
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[command(1, &["sh", "-c", "head -c 60000000 /dev/zero"])])
        .await;
    let mut longest = std::time::Duration::ZERO;
    let mut last = std::time::Instant::now();
    let result = loop {
        match session.heard().await.expect("the stream ended") {
            Said::Heartbeat(_) => {
                longest = longest.max(last.elapsed());
                last = std::time::Instant::now();
            }
            Said::Results(results) => break results.results[0].clone(),
            _ => {}
        }
    };
    assert_eq!(result.stdout_bytes, 60_000_000);
    assert!(
        longest.as_millis() < 2_000,
        "{longest:?} between two heartbeats of 200 ms"
    );
}
