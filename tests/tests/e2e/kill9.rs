//! `kill -9` of either side while tasks keep coming: nothing acknowledged is lost, nothing is recorded twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openclaw_proto::v1::{Task, TaskStatus};
use openclaw_tests::harness::{
    Client, Cluster, Runs, Settings, parameters, spec, until, until_within,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_mins(3);
const BATCH: usize = 4;

/// 50 kills in the long form, fewer otherwise.
fn kills() -> usize {
    if std::env::var_os("OPENCLAW_TEST_FULL").is_some() {
        50
    } else {
        25
    }
}

/// Submits small batches at a steady pace until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    ids: Arc<Mutex<BTreeSet<String>>>,
    task: JoinHandle<()>,
}

impl Load {
    #[expect(clippy::disallowed_methods, reason = "the test owns and joins it")]
    fn start(client: Client, runs: Runs) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let ids = Arc::new(Mutex::new(BTreeSet::new()));
        let (stopped, count, known) = (
            Arc::clone(&stop),
            Arc::clone(&acknowledged),
            Arc::clone(&ids),
        );
        let task = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(25));
            while !stopped.load(Ordering::Relaxed) {
                pace.tick().await;
                let tasks = vec![spec("append", &parameters(&runs, 0.02, 0, 0)); BATCH];
                // An error leaves open whether they were taken: such tasks are not counted as acknowledged.
                if let Ok(accepted) = client.submit(tasks).await {
                    count.fetch_add(accepted.len(), Ordering::Relaxed);
                    known
                        .lock()
                        .unwrap()
                        .extend(accepted.into_iter().map(|one| one.task_id));
                }
            }
        });
        Self {
            stop,
            acknowledged,
            ids,
            task,
        }
    }

    /// Waits until that many more were acknowledged than now.
    async fn more(&self, count: usize) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + count;
        until("more tasks to be acknowledged", async || {
            (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    /// Stops it; the ids that were acknowledged.
    async fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let ids = self.ids.lock().unwrap();
        ids.clone()
    }
}

/// Numbers that look random and are the same in every run.
struct Pseudo(u64);

impl Pseudo {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }
}

fn is_final(status: TaskStatus) -> bool {
    use TaskStatus::{Cancelled, Completed, Failed, Timeout};
    matches!(status, Completed | Failed | Cancelled | Timeout)
}

/// Every task there is, once all of them have ended.
async fn all_ended(client: &Client) -> BTreeMap<String, Task> {
    let all = until_within(LIMIT, "all tasks to end", async || {
        let all = client.all().await.ok()?;
        all.iter()
            .all(|task| is_final(task.status()))
            .then_some(all)
    })
    .await;
    all.into_iter()
        .map(|task| (task.spec.clone().unwrap_or_default().task_id, task))
        .collect()
}

/// Acknowledged means known and completed; one end each; each recorded result is that of a run that really was.
async fn check(
    client: &Client,
    acknowledged: &BTreeSet<String>,
    runs: &Runs,
) -> BTreeMap<String, Task> {
    let all = all_ended(client).await;
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !all.contains_key(*id))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged tasks lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    let lines: BTreeSet<String> = runs.lines().into_iter().collect();
    for id in all.keys() {
        let task = client.get(id).await.expect("known");
        assert_eq!(task.status(), TaskStatus::Completed, "{task:?}");
        let ends = task
            .timeline
            .iter()
            .filter(|step| is_final(step.status()))
            .count();
        assert_eq!(ends, 1, "recorded more than once: {task:?}");
        let line = format!("{id} {} {}", task.attempt, task.assigned_node);
        assert!(
            lines.contains(&line),
            "the result recorded is not that of a run: {line}"
        );
        let result: Value = serde_json::from_str(&task.result).expect("a result in JSON");
        assert_eq!(
            result,
            json!({"attempt": task.attempt, "node": task.assigned_node}),
            "another attempt's result"
        );
    }
    let unknown: Vec<String> = runs
        .counts()
        .into_keys()
        .filter(|id| !all.contains_key(id))
        .collect();
    assert!(unknown.is_empty(), "ran although not recorded: {unknown:?}");
    all
}

fn append() -> [(&'static str, &'static str); 1] {
    [("append", "append")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_coordinator_again_and_again_loses_nothing_and_runs_nothing_twice() {
    println!("{}", kill_coordinators_with("sled").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_coordinator_on_sqlite_loses_nothing_and_runs_nothing_twice() {
    println!("{}", kill_coordinators_with("sqlite").await);
}

/// What came of it, for people.
async fn kill_coordinators_with(store: &str) -> String {
    let mut cluster = Cluster::builder()
        .settings(&Settings::default().with("storage.type", store))
        .worker("one", Settings::default(), &append())
        .worker("two", Settings::default(), &append())
        .start()
        .await;
    let client = cluster.client();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let load = Load::start(client.clone(), runs.clone());
    let mut pseudo = Pseudo(20_260_501);
    for _ in 0..kills() {
        load.more(1 + pseudo.below(60)).await;
        cluster.coordinator.kill();
        cluster.start_coordinator().await;
    }
    let acknowledged = load.end().await;
    let all = check(&client, &acknowledged, &runs).await;
    let twice: Vec<_> = runs
        .counts()
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    assert!(
        twice.is_empty(),
        "the workers never stopped, yet these ran again: {twice:?}"
    );
    cluster.end().await;
    format!(
        "coordinator on {store}: {} kills, {} tasks acknowledged, {} recorded, 0 lost, 0 twice",
        kills(),
        acknowledged.len(),
        all.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_workers_again_and_again_loses_nothing_and_records_nothing_twice() {
    let mut cluster = Cluster::builder()
        .settings(&Settings::short_leases())
        .worker("one", Settings::default(), &append())
        .worker("two", Settings::default(), &append())
        .start()
        .await;
    let client = cluster.client();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let load = Load::start(client.clone(), runs.clone());
    let mut pseudo = Pseudo(20_260_502);
    for kill in 0..kills() {
        load.more(1 + pseudo.below(60)).await;
        let index = kill % cluster.workers.len();
        cluster.workers[index].kill();
        cluster.launch_worker(index);
    }
    let acknowledged = load.end().await;
    let all = check(&client, &acknowledged, &runs).await;
    let again: usize = runs.counts().into_values().map(|count| count - 1).sum();
    println!(
        "workers: {} kills, {} tasks acknowledged, {} recorded, 0 lost, 0 twice, {again} runs repeated",
        kills(),
        acknowledged.len(),
        all.len()
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_leaves_no_process_behind() {
    let mut cluster = Cluster::builder()
        .worker("one", Settings::default(), &append())
        .start()
        .await;
    let client = cluster.client();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let id = client
        .submit_one(spec("append", &parameters(&runs, 1000.0, 0, 0)))
        .await;
    client.running(&id).await;
    let sleeps = |cluster: &Cluster| {
        cluster
            .sandbox
            .leftovers()
            .into_iter()
            .filter(|line| line.contains("sleep 1000"))
            .count()
    };
    until("the process to run", async || {
        (sleeps(&cluster) > 0).then_some(())
    })
    .await;
    cluster.workers[0].kill();
    until_within(
        Duration::from_secs(5),
        "the task's processes to be gone",
        async || (sleeps(&cluster) == 0).then_some(()),
    )
    .await;
}
