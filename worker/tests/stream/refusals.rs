//! What ends a worker for good, what it tries again, and what it tells people.

use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message as Say;
use openclaw_runtime::tasks::TaskGroup;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Status;

use crate::coordinator::{Coordinator, task};
use crate::program::{Program, output};

#[tokio::test]
async fn a_wrong_token_is_final_and_says_what_to_do() {
    let coordinator = Coordinator::start().await;
    let mut program = Program::new(coordinator.address);
    program.token = Some("wrong".to_owned());
    assert_eq!(program.start().exit().await.code(), Some(77));
    let log = program.log();
    assert!(
        log.contains("does not accept the token of OPENCLAW_CLUSTER_TOKEN"),
        "{log}"
    );
    assert!(log.contains("openclaw-cluster token show"), "{log}");
}

#[tokio::test]
async fn a_missing_token_is_final_and_says_what_to_do() {
    let coordinator = Coordinator::start().await;
    let mut program = Program::new(coordinator.address);
    program.token = None;
    assert_eq!(program.start().exit().await.code(), Some(77));
    let log = program.log();
    assert!(
        log.contains("needs a token and none was found") && log.contains("openclaw-worker join"),
        "{log}"
    );
}

#[tokio::test]
async fn the_coordinators_own_token_file_is_found_on_the_same_machine() {
    let mut coordinator = Coordinator::start().await;
    let mut program = Program::new(coordinator.address);
    program.token = None;
    let dir = program.dir.path().join("data/coordinator");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("token"), crate::coordinator::TOKEN).unwrap();
    let _running = program.start();
    coordinator.session().await;
}

#[tokio::test]
async fn a_worker_that_was_superseded_ends_with_78_and_nothing_left_running() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let mut running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[task(1, "sleep", r#"{"seconds":60}"#)])
        .await;
    session
        .say(Say::Superseded(v1::Superseded {
            by: "other (pid 7)".to_owned(),
        }))
        .await;
    assert_eq!(running.exit().await.code(), Some(78));
    assert!(program.log().contains("other (pid 7)"));
}

#[tokio::test]
async fn a_name_that_is_taken_is_final() {
    let coordinator = Coordinator::start().await;
    coordinator.refuse(Status::already_exists(
        "node id tester belongs to another worker",
    ));
    let program = Program::new(coordinator.address);
    assert_eq!(program.start().exit().await.code(), Some(78));
    assert!(program.log().contains("belongs to another worker"));
}

#[tokio::test]
async fn a_version_that_does_not_fit_is_told_and_tried_again_without_end() {
    let coordinator = Coordinator::start().await;
    coordinator.refuse(Status::failed_precondition(
        "worker 0.1 speaks protocols 1 to 1, this coordinator 2 to 3",
    ));
    let program = Program::new(coordinator.address);
    let mut running = program.start();
    program
        .logged("do not fit together: worker 0.1 speaks protocols 1 to 1")
        .await;
    assert!(running.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_named_and_tried_until_somebody_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let program = Program::new(address);
    let _running = program.start();
    program
        .logged(&format!("nothing listens at {address}"))
        .await;
}

#[tokio::test]
async fn a_server_that_is_no_coordinator_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let program = Program::new(listener.local_addr().unwrap());
    let tasks = TaskGroup::new();
    tasks.spawn("web server", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 64];
            drop(stream.read(&mut request).await);
            drop(
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                    .await,
            );
        }
    });
    let _running = program.start();
    program.logged("is this the coordinator's port?").await;
    tasks.cancel();
}

#[tokio::test]
async fn a_data_directory_is_for_one_worker_and_the_holder_is_named() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let running = program.start();
    coordinator.session().await;
    let mut second = program.start();
    assert_eq!(second.exit().await.code(), Some(1));
    let holder = format!("openclaw-worker (pid {} on", running.child.id().unwrap());
    assert!(program.log().contains(&holder), "{}", program.log());
}

#[tokio::test]
async fn wrong_settings_end_with_78_and_name_the_key() {
    let program = Program::new("127.0.0.1:1".parse().unwrap());
    let mut command = program.command();
    command.env("OPENCLAW__WORKER__MAX_CONCURRENT_TASKS", "many");
    let (status, text) = output(command).await;
    assert_eq!(status.code(), Some(78), "{text}");
    assert!(
        text.contains("worker.max_concurrent_tasks") || text.contains("MAX_CONCURRENT_TASKS"),
        "{text}"
    );
}

#[tokio::test]
async fn joining_a_coordinator_that_is_not_there_says_so() {
    let program = Program::new("127.0.0.1:1".parse().unwrap());
    let mut command = program.command();
    command.args(["join", "127.0.0.1:1", "token"]);
    let (status, text) = output(command).await;
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("nothing listens at 127.0.0.1:1"), "{text}");
    let mut command = program.command();
    command.args(["join", "nats://mac:4222", "token"]);
    assert!(
        output(command)
            .await
            .1
            .contains("nats:// is that of a NATS server")
    );
}
