//! Every link of the chain that can break is named, with the next step.

use std::net::SocketAddr;

use openclaw_runtime::tasks::TaskGroup;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::fake::{Fake, Script};
use crate::program::Home;

/// A server that says `greeting` to whoever connects.
async fn stranger(greeting: &'static str) -> (SocketAddr, TaskGroup) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let group = TaskGroup::new();
    group.spawn("stranger", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(greeting.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (addr, group)
}

#[tokio::test]
async fn a_coordinator_that_is_not_there_is_told_with_the_next_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let home = Home::new(addr.clone());
    home.run(&["status"])
        .await
        .expect(9)
        .says(&addr)
        .says("connection refused")
        .says("openclaw-cluster dev");
    let error = home.run(&["status", "--json"]).await.expect(9).json();
    assert_eq!(error["error"]["code"], "REFUSED");
    home.run(&["run", "echo"])
        .await
        .expect(9)
        .says("OPENCLAW_CLUSTER_ADDR");
}

#[tokio::test]
async fn a_wrong_scheme_is_answered_with_the_right_address() {
    let home = Home::new(None);
    home.run(&["status", "--addr", "https://mac:8888"])
        .await
        .expect(2)
        .says("TLS")
        .says("http://mac:8888");
    home.run(&["status", "--addr", "nats://mac:4222"])
        .await
        .expect(2)
        .says("NATS")
        .says("mac:8888");
}

#[tokio::test]
async fn what_answers_in_place_of_the_coordinator_is_named() {
    for (greeting, name) in [
        ("INFO {\"server_id\":\"x\"}\r\n", "a NATS server"),
        (
            "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\nno",
            "a web server (HTTP 404 on /health)",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "an SSH server"),
    ] {
        let (addr, _group) = stranger(greeting).await;
        let ran = Home::new(addr.to_string()).run(&["node", "list"]).await;
        ran.expect(9).says(name).says("coordinator.port");
    }
}

#[tokio::test]
async fn a_token_that_is_missing_or_wrong_is_told_with_its_source() {
    let fake = Fake::start(Script {
        token: Some("right".to_owned()),
        ..Script::default()
    })
    .await;
    let home = fake.home();
    home.run(&["status"])
        .await
        .expect(8)
        .says("wants a token, and none was found")
        .says("token show");
    let mut wrong = home.command(&["status", "--json"]);
    let ran = crate::program::finish(
        wrong
            .env("OPENCLAW_CLUSTER_TOKEN", "wrong")
            .spawn()
            .unwrap(),
    )
    .await;
    let error = ran.expect(8).json();
    assert_eq!(error["error"]["code"], "UNAUTHENTICATED");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("OPENCLAW_CLUSTER_TOKEN"),
        "{error}"
    );
    let mut right = home.command(&["status"]);
    crate::program::finish(
        right
            .env("OPENCLAW_CLUSTER_TOKEN", "right")
            .spawn()
            .unwrap(),
    )
    .await
    .expect(0);
    std::fs::write(home.path().join("token"), "right\n").unwrap();
    home.run(&["status", "--token-file", "token"])
        .await
        .expect(0);
}

#[tokio::test]
async fn the_token_is_found_beside_the_store_and_in_the_profiles_and_the_one_that_fits_is_used() {
    let fake = Fake::start(Script {
        token: Some("right".to_owned()),
        ..Script::default()
    })
    .await;
    let home = Home::new(None);
    let port = fake.addr.port();
    std::fs::create_dir_all(home.path().join("data/coordinator")).unwrap();
    std::fs::create_dir_all(home.path().join("config")).unwrap();
    std::fs::write(
        home.path().join("config/config.yaml"),
        format!("coordinator:\n  port: {port}\n"),
    )
    .unwrap();
    std::fs::write(home.path().join("data/coordinator/token"), "right\n").unwrap();
    home.run(&["status"]).await.expect(0);
    let shown = home.run(&["token", "show"]).await;
    assert_eq!(shown.expect(0).stdout, "right\n");
    shown.says("openclaw-worker join ").says(" right");
    // A token of another coordinator lies there: the one of the profiles still fits.
    std::fs::write(home.path().join("data/coordinator/token"), "stale\n").unwrap();
    home.run(&["status"])
        .await
        .expect(8)
        .says("data/coordinator/token");
    std::fs::create_dir_all(home.path().join("home")).unwrap();
    let profile = json!({"token": "right", "added_at": "2026-01-01T00:00:00Z"});
    let profiles = json!({"profiles": {format!("127.0.0.1:{port}"): profile}});
    std::fs::write(home.path().join("home/profiles.json"), profiles.to_string()).unwrap();
    home.run(&["status"]).await.expect(0);
}

#[tokio::test]
async fn a_broken_configuration_is_named_and_does_not_stand_in_the_way_of_an_address() {
    let fake = Fake::start(Script::default()).await;
    let home = Home::new(None);
    std::fs::write(home.path().join("config.yaml"), "coordinator:\n  prot: 1\n").unwrap();
    home.run(&["status"])
        .await
        .expect(2)
        .says("prot")
        .says("--addr");
    home.run(&["status", "--addr", &fake.addr.to_string()])
        .await
        .expect(0);
}
