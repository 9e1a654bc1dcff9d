//! Results: run, told, kept, told again.

use std::collections::BTreeSet;

use openclaw_proto::v1;
use tonic::Status;

use crate::coordinator::{Coordinator, command, lease, task, verdict, welcome};
use crate::program::{Program, wait_for};

#[tokio::test]
async fn a_task_runs_and_an_acknowledged_result_leaves_nothing_behind() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session.offer(&[task(1, "echo", r#"{"a":1}"#)]).await;
    let result = session.result().await;
    assert_eq!(
        (result.outcome(), result.result.as_str()),
        (v1::Outcome::Succeeded, r#"{"a":1}"#)
    );
    assert_eq!(result.lease, Some(lease(1)));
    wait_for(|| program.spooled() == 1).await;
    session.ack(&[1]).await;
    wait_for(|| program.spooled() == 0).await;
}

#[tokio::test]
async fn a_program_runs_where_the_owner_lets_it_and_its_failure_is_told() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address).with("WORKER__ALLOW_COMMANDS", "true");
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[command(1, &["sh", "-c", "echo out; echo why >&2; exit 3"])])
        .await;
    let result = session.result().await;
    let error = result.error.clone().unwrap();
    assert_eq!(
        (
            result.outcome(),
            error.exit_code,
            error.stderr_tail.as_str()
        ),
        (v1::Outcome::Exit, Some(3), "why\n")
    );
    assert_eq!(result.output.len(), 2, "small output rides in the result");
}

#[tokio::test]
async fn a_task_that_cannot_start_here_is_answered_with_the_reason() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[task(1, "no-such-skill", "{}"), command(2, &["true"])])
        .await;
    let mut told = Vec::new();
    while told.len() < 2 {
        told.extend(session.results().await);
    }
    assert!(
        told.iter()
            .all(|result| result.outcome() == v1::Outcome::SpawnFailed),
        "{told:?}"
    );
    assert_eq!(
        told[0].error.as_ref().unwrap().message,
        "skill no-such-skill is not on this node"
    );
}

#[tokio::test]
async fn a_result_whose_acknowledgement_was_lost_is_sent_again_on_the_next_stream() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session.offer(&[task(1, "echo", "{}")]).await;
    session.result().await;
    session.fail(Status::unavailable("restart")).await;
    let mut session = coordinator.session().await;
    assert_eq!(session.hello.held[0].state(), v1::LeaseState::Finished);
    let verdicts = vec![verdict(1, v1::VerdictAction::SendResult)];
    session
        .welcome(v1::Welcome {
            verdicts,
            ..welcome()
        })
        .await;
    assert_eq!(session.result().await.lease, Some(lease(1)));
    session.ack(&[1]).await;
    wait_for(|| program.spooled() == 0).await;
}

#[tokio::test]
async fn a_killed_worker_delivers_the_result_at_its_next_start_and_forgets_what_ran() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let mut running = program.start();
    let mut session = coordinator.welcomed().await;
    session
        .offer(&[task(1, "echo", "{}"), task(2, "sleep", r#"{"seconds":60}"#)])
        .await;
    session.result().await;
    wait_for(|| program.spooled() == 1).await;
    running.signal("-KILL");
    running.exit().await;

    let _running = program.start();
    let mut session = coordinator.session().await;
    assert_eq!(session.hello.held.len(), 1, "{:?}", session.hello.held);
    assert_eq!(session.hello.held[0].lease, Some(lease(1)));
    let verdicts = vec![verdict(1, v1::VerdictAction::SendResult)];
    session
        .welcome(v1::Welcome {
            verdicts,
            ..welcome()
        })
        .await;
    assert_eq!(session.result().await.outcome(), v1::Outcome::Succeeded);
}

#[tokio::test]
async fn another_cluster_puts_the_results_of_the_former_aside() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    session.offer(&[task(1, "echo", "{}")]).await;
    session.result().await;
    wait_for(|| program.spooled() == 1).await;
    session.fail(Status::unavailable("another store")).await;
    let mut session = coordinator.session().await;
    let cluster_id = openclaw_common::id::ClusterId(8).to_string();
    session
        .welcome(v1::Welcome {
            cluster_id,
            epoch: 1,
            ..welcome()
        })
        .await;
    let aside = program
        .data_dir()
        .join("spool/aside")
        .join(welcome().cluster_id);
    wait_for(|| program.spooled() == 0 && aside.is_dir()).await;
    assert_eq!(std::fs::read_dir(aside).unwrap().count(), 1);
}

#[tokio::test]
async fn ten_thousand_tiny_tasks_pass_through_one_stream_each_told_once() {
    let mut coordinator = Coordinator::start().await;
    let program = Program::new(coordinator.address);
    let _running = program.start();
    let mut session = coordinator.welcomed().await;
    let (total, window) = (10_000_u64, 100_u64);
    let mut told = BTreeSet::new();
    let (mut next, mut messages) = (1, 0);
    let began = std::time::Instant::now();
    while (told.len() as u64) < total {
        let room = (told.len() as u64 + window).min(total);
        if next <= room {
            let batch: Vec<_> = (next..=room)
                .map(|counter| task(counter, "echo", "{}"))
                .collect();
            session.offer(&batch).await;
            next = room + 1;
        }
        let results = session.results().await;
        messages += 1;
        let counters: Vec<u64> = results
            .iter()
            .map(|result| result.lease.unwrap().counter)
            .collect();
        session.ack(&counters).await;
        for counter in counters {
            assert!(told.insert(counter), "{counter} was told twice");
        }
    }
    println!(
        "{total} tasks in {:?}, {messages} messages",
        began.elapsed()
    );
    assert!(
        messages < total / 10,
        "results travel together: {messages} messages"
    );
    assert_eq!(program.spooled(), 0);
}
