//! SIGSTOP, as a closed lid: a side that stands still past the lease throws no work away.

use std::time::Duration;

use openclaw_proto::v1::{NodeStatus, TaskStatus};
use openclaw_tests::harness::{Cluster, Runs, Settings, Signal, parameters, pass, spec, until};

const LIMIT: Duration = Duration::from_mins(1);

async fn cluster() -> (Cluster, Runs) {
    let cluster = Cluster::builder()
        .settings(&Settings::short_leases())
        .worker("one", Settings::default(), &[("append", "append")])
        .start()
        .await;
    let runs = Runs::in_folder(cluster.sandbox.path());
    (cluster, runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_stood_still_past_the_lease_evicts_nobody() {
    let (mut cluster, runs) = cluster().await;
    let client = cluster.client();
    // One that ends while the coordinator stands still, one that goes on for longer.
    let brief = client
        .submit_one(spec("append", &parameters(&runs, 2.0, 0, 0)))
        .await;
    let long = client
        .submit_one(spec("append", &parameters(&runs, 12.0, 0, 0)))
        .await;
    client.running(&brief).await;
    client.running(&long).await;
    cluster.coordinator.signal(Signal::STOP);
    pass(Duration::from_secs(8)).await;
    cluster.coordinator.signal(Signal::CONT);
    for id in [&brief, &long] {
        let task = client.wait(id, LIMIT).await;
        assert_eq!(
            (task.status(), task.attempt, task.infra_losses),
            (TaskStatus::Completed, 1, 0),
            "{task:?}"
        );
        assert_eq!(runs.counts()[id], 1, "it ran again");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stood_still_past_the_lease_keeps_its_work() {
    let (mut cluster, runs) = cluster().await;
    let client = cluster.client();
    let brief = client
        .submit_one(spec("append", &parameters(&runs, 2.0, 0, 0)))
        .await;
    let long = client
        .submit_one(spec("append", &parameters(&runs, 15.0, 0, 0)))
        .await;
    client.running(&brief).await;
    client.running(&long).await;
    cluster.workers[0].signal(Signal::STOP);
    until("the leases to run out", async || {
        let node = client.node("one").await.ok()?;
        let tasks = [
            client.get(&brief).await.ok()?,
            client.get(&long).await.ok()?,
        ];
        let orphaned = tasks
            .iter()
            .all(|task| task.status() == TaskStatus::Pending);
        (orphaned && node.status() == NodeStatus::Offline).then_some(())
    })
    .await;
    cluster.workers[0].signal(Signal::CONT);
    for id in [&brief, &long] {
        let task = client.wait(id, LIMIT).await;
        assert_eq!(
            (task.status(), task.attempt, task.infra_losses),
            (TaskStatus::Completed, 1, 0),
            "{task:?}"
        );
        assert_eq!(runs.counts()[id], 1, "it ran again");
    }
    cluster.end().await;
}
