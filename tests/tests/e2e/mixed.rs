//! Many tasks of every kind at once, and a restart of the coordinator among them.

use std::collections::BTreeMap;
use std::time::Duration;

use openclaw_proto::v1::{RetryPolicy, Task, TaskPriority, TaskSpec, TaskStatus};
use openclaw_tests::harness::{Client, Cluster, Runs, Settings, parameters, spec, until_within};

const LIMIT: Duration = Duration::from_mins(2);

/// What a task is meant to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pass,
    OnlyAlpha,
    OnlyBeta,
    Fail,
    Retry,
    Permanent,
    TimeOut,
    CancelQueued,
    CancelRunning,
    QueueTimeOut,
    Unplaceable,
}

const PLAN: [(Kind, usize); 11] = [
    (Kind::Pass, 180),
    (Kind::OnlyAlpha, 60),
    (Kind::OnlyBeta, 60),
    (Kind::Fail, 60),
    (Kind::Retry, 40),
    (Kind::Permanent, 20),
    (Kind::TimeOut, 20),
    (Kind::CancelQueued, 20),
    (Kind::CancelRunning, 20),
    (Kind::QueueTimeOut, 10),
    (Kind::Unplaceable, 10),
];

fn short(millis: i32) -> prost_types::Duration {
    prost_types::Duration {
        seconds: 0,
        nanos: millis * 1_000_000,
    }
}

fn task(kind: Kind, index: usize, runs: &Runs) -> TaskSpec {
    let append =
        |seconds, exit, fail_before| spec("append", &parameters(runs, seconds, exit, fail_before));
    let priorities = [
        TaskPriority::Critical,
        TaskPriority::High,
        TaskPriority::Normal,
        TaskPriority::Low,
    ];
    let mut task = match kind {
        Kind::Pass | Kind::CancelQueued => append(0.0, 0, 0),
        Kind::OnlyAlpha => TaskSpec {
            skill: "red".into(),
            required_tags: vec!["fast".into()],
            ..append(0.0, 0, 0)
        },
        Kind::OnlyBeta => TaskSpec {
            skill: "green".into(),
            required_tags: vec!["gpu".into()],
            ..append(0.0, 0, 0)
        },
        Kind::Fail => TaskSpec {
            max_retries: Some(0),
            ..append(0.0, 3, 0)
        },
        Kind::Retry => {
            let retry = RetryPolicy {
                backoff: Some(short(50)),
                ..RetryPolicy::default()
            };
            TaskSpec {
                retry: Some(retry),
                ..append(0.0, 0, 2)
            }
        }
        Kind::Permanent => append(0.0, 64, 0),
        Kind::TimeOut => TaskSpec {
            timeout: Some(short(300)),
            max_retries: Some(0),
            ..append(60.0, 0, 0)
        },
        Kind::CancelRunning => TaskSpec {
            node: "gamma".into(),
            ..append(600.0, 0, 0)
        },
        Kind::QueueTimeOut => TaskSpec {
            skill: "nobody-has-it".into(),
            queue_timeout: Some(short(500)),
            ..append(0.0, 0, 0)
        },
        Kind::Unplaceable => TaskSpec {
            skill: "nobody-has-it".into(),
            ..append(0.0, 0, 0)
        },
    };
    let priority = match kind {
        Kind::CancelQueued => TaskPriority::Low,
        _ => priorities[index % priorities.len()],
    };
    task.priority = priority.into();
    task.name = format!("{kind:?}");
    task
}

/// Submits the plan, mixed, in several requests; the kind of each accepted task by its id.
async fn submit_all(client: &Client, runs: &Runs) -> BTreeMap<String, Kind> {
    let mut kinds: Vec<Kind> = PLAN
        .iter()
        .flat_map(|(kind, count)| vec![*kind; *count])
        .collect();
    assert_eq!(kinds.len(), 500);
    // A stride that is prime to the length visits each place once, and mixes the kinds.
    kinds = (0..kinds.len())
        .map(|i| kinds[i * 197 % kinds.len()])
        .collect();
    let mut known = BTreeMap::new();
    for (part, chunk) in kinds.chunks(100).enumerate() {
        let tasks = chunk
            .iter()
            .enumerate()
            .map(|(i, kind)| task(*kind, part * 100 + i, runs))
            .collect();
        let accepted = client.submit(tasks).await.expect("accepted");
        known.extend(
            accepted
                .into_iter()
                .map(|one| one.task_id)
                .zip(chunk.iter().copied()),
        );
    }
    assert_eq!(known.len(), 500, "every task has an id of its own");
    known
}

fn is_final(status: TaskStatus) -> bool {
    use TaskStatus::{Cancelled, Completed, Failed, Timeout};
    matches!(status, Completed | Failed | Cancelled | Timeout)
}

/// How a task of this kind ends, and how often it ran.
fn verdict(kind: Kind, task: &Task, ran: usize) -> Result<(), String> {
    let code = task.error.as_ref().map(|error| error.code.as_str());
    let fine = match kind {
        Kind::Pass => task.status() == TaskStatus::Completed && ran == 1 && task.attempt == 1,
        Kind::OnlyAlpha => {
            task.status() == TaskStatus::Completed && ran == 1 && task.assigned_node == "alpha"
        }
        Kind::OnlyBeta => {
            task.status() == TaskStatus::Completed && ran == 1 && task.assigned_node == "beta"
        }
        Kind::Fail => task.status() == TaskStatus::Failed && ran == 1 && code == Some("EXIT"),
        Kind::Retry => task.status() == TaskStatus::Completed && ran == 2 && task.retry_count == 1,
        Kind::Permanent => task.status() == TaskStatus::Failed && ran == 1 && task.retry_count == 0,
        Kind::TimeOut => {
            task.status() == TaskStatus::Timeout && ran == 1 && code == Some("TIMEOUT")
        }
        // It may have begun before the request came; then it has an end of its own. Never both.
        Kind::CancelQueued if task.started_at.is_none() => {
            task.status() == TaskStatus::Cancelled && ran == 0
        }
        Kind::CancelQueued => ran == 1,
        Kind::CancelRunning => task.status() == TaskStatus::Cancelled && ran == 1,
        Kind::QueueTimeOut => {
            task.status() == TaskStatus::Timeout && ran == 0 && code == Some("QUEUE_TIMEOUT")
        }
        Kind::Unplaceable => task.status() == TaskStatus::Cancelled && ran == 0,
    };
    let ends = task
        .timeline
        .iter()
        .filter(|step| is_final(step.status()))
        .count();
    if fine && ends == 1 {
        Ok(())
    } else {
        Err(format!("{kind:?} ran {ran} times, {ends} ends: {task:?}"))
    }
}

async fn ended(client: &Client, wanted: usize) -> Option<Vec<Task>> {
    let all = client.all().await.ok()?;
    let count = all.iter().filter(|task| is_final(task.status())).count();
    (count >= wanted).then_some(all)
}

/// Three nodes with different skills, tags and slots.
async fn cluster() -> Cluster {
    let append = ("append", "append");
    let (red, green) = (("append", "red"), ("append", "green"));
    let node = |slots: u32, tags: &[&str]| {
        let settings = Settings::default().with("worker.max_concurrent_tasks", slots);
        settings.with("worker.tags", tags.to_vec())
    };
    let cluster = Cluster::builder()
        .worker("alpha", node(4, &["fast", "office"]), &[append, red])
        .worker("beta", node(2, &["gpu"]), &[append, green])
        .worker("gamma", node(3, &[]), &[append, red, green]);
    cluster.start().await
}

/// Cancels each of these as soon as it runs; done when all have ended.
async fn cancel_as_they_run(client: &Client, ids: &[String]) {
    until_within(
        LIMIT,
        "all long tasks to run and to be cancelled",
        async || {
            let mut open = 0;
            for id in ids {
                let task = client.get(id).await.ok()?;
                if task.status() == TaskStatus::Running && !task.cancel_requested {
                    client.cancel(id).await.ok()?;
                }
                open += usize::from(!is_final(task.status()));
            }
            (open == 0).then_some(())
        },
    )
    .await;
}

/// Every task against what it was meant to do, and every run against every task.
async fn check_all(client: &Client, known: &BTreeMap<String, Kind>, runs: &Runs) {
    let counts = runs.counts();
    let mut wrong = Vec::new();
    for (id, kind) in known {
        let task = client.get(id).await.expect("known");
        let ran = counts.get(id).copied().unwrap_or_default();
        wrong.extend(verdict(*kind, &task, ran).err());
    }
    assert!(
        wrong.is_empty(),
        "{} of 500 wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        counts.keys().all(|id| known.contains_key(id)),
        "something ran that nobody submitted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_mixed_tasks_end_as_they_should_across_a_restart() {
    let mut cluster = cluster().await;
    let client = cluster.client();
    let runs = Runs::in_folder(cluster.sandbox.path());
    let known = submit_all(&client, &runs).await;
    let of_kind = |kind: Kind| -> Vec<String> {
        let these = known.iter().filter(|(_, other)| **other == kind);
        these.map(|(id, _)| id.clone()).collect()
    };

    for id in of_kind(Kind::CancelQueued) {
        client.cancel(&id).await.expect("cancelled");
    }
    until_within(LIMIT, "a third of the tasks to end", async || {
        ended(&client, 170).await
    })
    .await;
    cluster.coordinator.end().await;
    cluster.start_coordinator().await;

    cancel_as_they_run(&client, &of_kind(Kind::CancelRunning)).await;
    until_within(LIMIT, "all tasks that can end to end", async || {
        ended(&client, 490).await
    })
    .await;
    for id in of_kind(Kind::Unplaceable) {
        let task = client.get(&id).await.expect("known");
        let reason = task.reason.clone().unwrap_or_default();
        let seen = (task.status(), reason.code.as_str());
        assert_eq!(
            seen,
            (TaskStatus::Pending, "NO_NODE_WITH_SKILL"),
            "{task:?}"
        );
        client.cancel(&id).await.expect("cancelled");
    }
    let all = until_within(LIMIT, "all tasks to end", async || {
        ended(&client, 500).await
    })
    .await;
    assert_eq!(all.len(), 500, "nothing lost, nothing invented");
    check_all(&client, &known, &runs).await;
    cluster.end().await;
}
