use openclaw_config::{Address, Candidate, Why};
use openclaw_runtime::tasks::TaskGroup;
use tokio::net::TcpListener;
use tonic::Status;

use super::{Dialed, Dialer, closed_by, explain};
use crate::state::{ClosedBy, Exit};
use crate::token::Tokens;

fn candidate(port: u16, why: Why) -> Candidate {
    Candidate {
        address: Address {
            host: "127.0.0.1".to_owned(),
            port,
        },
        why,
    }
}

/// A port that accepts connections and says nothing, for as long as the group lives.
async fn listening(tasks: &TaskGroup) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn("listener", async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    port
}

/// A port where nothing listens.
async fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn dial(candidates: Vec<Candidate>, last: Option<&Address>) -> Dialed {
    Dialer::new(candidates, Tokens::default())
        .dial(last)
        .await
        .unwrap()
}

#[tokio::test]
async fn candidates_are_tried_in_turn_and_each_failure_is_told_with_its_reason() {
    let (first, second) = (closed().await, closed().await);
    let candidates = vec![
        candidate(first, Why::Setting),
        candidate(second, Why::NatsHost),
    ];
    let error = Dialer::new(candidates, Tokens::default())
        .dial(None)
        .await
        .unwrap_err()
        .to_string();
    let told =
        format!("127.0.0.1:{first} (worker.coordinator): nothing listens at 127.0.0.1:{first}");
    assert!(error.contains(&told), "{error}");
    assert!(
        error.contains(&format!("{second} (host of communication.nats_url)")),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_that_answers_is_taken_and_where_a_stream_was_open_goes_first() {
    let tasks = TaskGroup::new();
    let (dead, one, two) = (
        closed().await,
        listening(&tasks).await,
        listening(&tasks).await,
    );
    let candidates = vec![
        candidate(dead, Why::Setting),
        candidate(one, Why::CoordinatorHost),
        candidate(two, Why::Loopback),
    ];
    assert_eq!(
        dial(candidates.clone(), None).await.candidate,
        candidates[1]
    );
    assert_eq!(
        dial(candidates.clone(), Some(&candidates[2].address))
            .await
            .candidate,
        candidates[2]
    );
    tasks.cancel();
}

#[tokio::test]
async fn a_name_that_means_nothing_is_told_as_such() {
    let address = Address {
        host: "no-such-host.invalid".to_owned(),
        port: 1,
    };
    let candidates = vec![Candidate {
        address,
        why: Why::Flag,
    }];
    let error = Dialer::new(candidates, Tokens::default())
        .dial(None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the name `no-such-host.invalid` is not known"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_is_final_only_by_the_coordinator_that_is_meant() {
    let tasks = TaskGroup::new();
    let (dead, alive) = (closed().await, listening(&tasks).await);
    let refused = Status::unauthenticated("no");
    let final_for = async |candidates| closed_by(&refused, &dial(candidates, None).await);
    let fallback = vec![
        candidate(dead, Why::Joined),
        candidate(alive, Why::Loopback),
    ];
    assert_eq!(
        final_for(fallback.clone()).await,
        ClosedBy::Failure,
        "perhaps somebody else's"
    );
    assert_eq!(
        final_for(vec![candidate(alive, Why::Loopback)]).await,
        ClosedBy::Refusal(Exit::NotAllowed)
    );
    let named = vec![candidate(dead, Why::Setting), candidate(alive, Why::Joined)];
    assert_eq!(final_for(named).await, ClosedBy::Refusal(Exit::NotAllowed));
    let known = dial(fallback.clone(), Some(&fallback[1].address)).await;
    assert_eq!(
        closed_by(&refused, &known),
        ClosedBy::Refusal(Exit::NotAllowed)
    );
    tasks.cancel();
}

#[tokio::test]
async fn every_refusal_says_who_what_and_what_next() {
    let tasks = TaskGroup::new();
    let dialed = dial(vec![candidate(listening(&tasks).await, Why::Flag)], None).await;
    for (status, by, said) in [
        (
            Status::unauthenticated("x"),
            ClosedBy::Refusal(Exit::NotAllowed),
            "openclaw-worker join",
        ),
        (
            Status::permission_denied("elsewhere"),
            ClosedBy::Refusal(Exit::NotAllowed),
            "elsewhere",
        ),
        (
            Status::already_exists("taken"),
            ClosedBy::Refusal(Exit::IdentityTaken),
            "taken",
        ),
        (
            Status::failed_precondition("1 to 1"),
            ClosedBy::Incompatible,
            "do not fit together",
        ),
        (
            Status::unimplemented(""),
            ClosedBy::Failure,
            "is no OpenClaw coordinator",
        ),
        (
            Status::unavailable("restarting"),
            ClosedBy::Failure,
            "restarting",
        ),
    ] {
        let text = explain(&status, &dialed);
        assert_eq!(closed_by(&status, &dialed), by, "{text}");
        assert!(text.contains(said) && text.contains("127.0.0.1:"), "{text}");
    }
    tasks.cancel();
}
