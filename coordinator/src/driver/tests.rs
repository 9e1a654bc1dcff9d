//! The driver with a real core and a store in memory that fails when told to.

use std::collections::BTreeMap;
use std::time::Duration;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::effect::{Close, Send};
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{
    AttemptResult, Executor, Facts, Hello, Inventory, Load, Pools, Principal, Role, Skill,
};
use openclaw_core::settings::Settings;
use openclaw_proto::v1;
use openclaw_runtime::tasks::TaskGroup;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Driver, DriverParts};
use crate::events::Followed;
use crate::grpc::convert::Limits;
use crate::handle::{Handle, TaskFilter};
use crate::outbox::{End, Out, OutboxReader, outbox};
use crate::shared::Phase;
use crate::store::memory::{Disk, Fault};
use crate::store::{Opener, StoreError};

const SOON: Duration = Duration::from_secs(10);

struct World {
    disk: Disk,
    handle: Handle,
    driver: JoinHandle<Result<(), StoreError>>,
    drain: CancellationToken,
    stop: CancellationToken,
    group: TaskGroup,
}

async fn world() -> World {
    world_on(Disk::new()).await
}

async fn world_on(disk: Disk) -> World {
    let group = TaskGroup::new();
    let parts = DriverParts {
        settings: Settings::default(),
        opener: Opener::in_memory(disk.clone()),
        home: None,
        limits: Limits::default(),
        group: group.clone(),
    };
    let (driver, handle) = Driver::new(parts).unwrap();
    let (drain, stop) = (driver.drain(), driver.stop());
    let driver = group.spawn("driver", driver.run());
    let world = World {
        disk,
        handle,
        driver,
        drain,
        stop,
        group,
    };
    world.ready(0).await;
    world
}

impl World {
    /// Waits for a run with an epoch above this one.
    async fn ready(&self, above: u64) -> u64 {
        let mut phases = self.handle.phase_changes();
        let ready = |phase: &Phase| matches!(phase, Phase::Ready(run) if run.epoch > above);
        let phase = timeout(SOON, phases.wait_for(ready))
            .await
            .unwrap()
            .unwrap()
            .clone();
        match phase {
            Phase::Ready(run) => run.epoch,
            other => panic!("{other:?}"),
        }
    }

    async fn submit(&self, spec: v1::TaskSpec) -> Result<TaskId, openclaw_core::effect::Refusal> {
        let tasks = self.handle.prepare(&user(), vec![spec], "")?;
        self.handle
            .submit(user(), tasks)
            .await
            .map(|accepted| accepted[0].id)
    }

    async fn end(self) -> Disk {
        self.stop.cancel();
        timeout(SOON, self.driver).await.unwrap().unwrap().unwrap();
        assert_eq!(self.group.shutdown(SOON).await, 0);
        self.disk
    }
}

fn user() -> Principal {
    Principal {
        user: "ann".into(),
        role: Role::Submit,
    }
}

fn echo() -> v1::TaskSpec {
    v1::TaskSpec {
        skill: "echo".into(),
        ..v1::TaskSpec::default()
    }
}

fn worker(slots: u64) -> Hello {
    let skill = Skill {
        name: "echo".into(),
        version: Box::default(),
        category: Box::default(),
        description: Box::default(),
        tags: Vec::new(),
        content_hash: Box::default(),
        executor: Executor::Builtin,
        input_schema: Box::default(),
        output_schema: Box::default(),
        dependencies: Vec::new(),
        eligible: true,
        reasons: Vec::new(),
        costs_money: false,
    };
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        build: "test".into(),
        cluster_id: None,
        uid: "uid-1".into(),
        secret_hash: [7; 32],
        name: "mac".into(),
        name_explicit: true,
        boot_id: "boot".into(),
        process_id: "process".into(),
        pid: 1,
        facts: Facts::default(),
        load: Load::default(),
        inventory: Inventory {
            skills: BTreeMap::from([(skill.name.clone(), skill)]),
            pools: Pools {
                slots_milli: slots * 1_000,
                cpu_milli: 8_000,
                ..Pools::default()
            },
            ..Inventory::default()
        },
        held: Vec::new(),
        heartbeat_ms: 5_000,
        stream: 0,
    }
}

async fn next(reader: &mut OutboxReader) -> Out {
    let mut got = Vec::new();
    match timeout(SOON, reader.recv_many(&mut got, 1)).await.unwrap() {
        0 => Out::End,
        _ => got.remove(0),
    }
}

#[tokio::test]
async fn an_answer_comes_only_after_its_flush() {
    let world = world().await;
    let slow = Duration::from_millis(150);
    world.disk.set_slow(slow);
    let began = std::time::Instant::now();
    let id = world.submit(echo()).await.unwrap();
    assert!(began.elapsed() >= slow);
    assert_eq!(world.disk.count("t/"), 1);
    let record = world.handle.task(id).await.unwrap();
    assert_eq!(record.status(), TaskStatus::Pending);
    world.end().await;
}

#[tokio::test]
async fn submits_that_come_during_a_flush_share_the_next_one() {
    let world = world().await;
    world.disk.set_slow(Duration::from_millis(100));
    let before = world.disk.steps();
    let submits = (0..50).map(|_| world.submit(echo()));
    let outcomes = futures_util::future::join_all(submits).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let steps = world.disk.steps() - before;
    assert!(steps <= 3, "50 submits took {steps} commits");
    world.end().await;
}

#[tokio::test]
async fn a_failed_commit_is_an_unknown_outcome_and_the_next_run_goes_on() {
    let world = world().await;
    let kept = world.submit(echo()).await.unwrap();
    let epoch = world.ready(0).await;
    world.disk.fail_next(Fault::Refuse);
    let refused = world.submit(echo()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    assert!(refused.detail.contains("unknown"), "{}", refused.detail);
    assert!(world.ready(epoch).await > epoch);
    assert!(world.handle.health().is_ready());
    assert_eq!(
        world.handle.task(kept).await.unwrap().status(),
        TaskStatus::Pending
    );
    world.submit(echo()).await.unwrap();
    let page = world
        .handle
        .page(TaskFilter {
            limit: 10,
            ..TaskFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(page.tasks.len(), 2, "the refused one left nothing behind");
    world.end().await;
}

#[tokio::test]
async fn a_key_finds_the_task_whose_acknowledgement_was_lost() {
    let world = world().await;
    let epoch = world.ready(0).await;
    let spec = || v1::TaskSpec {
        idempotency_key: "once".into(),
        ..echo()
    };
    world.disk.fail_next(Fault::LoseAck);
    assert_eq!(
        world.submit(spec()).await.unwrap_err().code,
        ErrorCode::Unavailable
    );
    world.ready(epoch).await;
    let tasks = world.handle.prepare(&user(), vec![spec()], "").unwrap();
    let accepted = world.handle.submit(user(), tasks).await.unwrap();
    assert!(accepted[0].existing);
    assert_eq!(world.disk.count("t/"), 1);
    world.end().await;
}

#[tokio::test]
async fn an_id_chosen_by_a_caller_never_replaces_an_ended_task() {
    let world = world().await;
    world.ready(0).await;
    let first = world.submit(echo()).await.unwrap();
    let chosen = |id: TaskId, parameters: &str| v1::TaskSpec {
        task_id: id.to_string(),
        parameters: parameters.into(),
        ..echo()
    };
    let taken = |outcome: Result<TaskId, openclaw_core::effect::Refusal>| {
        outcome.unwrap_err().code == ErrorCode::AlreadyExists
    };
    assert!(taken(world.submit(chosen(first, "{}")).await), "while live");
    world.handle.cancel(user(), first, "").await.unwrap();
    assert!(taken(world.submit(chosen(first, "{}")).await), "once ended");
    let task = world.handle.task(first).await.unwrap();
    assert_eq!(task.status(), TaskStatus::Cancelled, "its record stays");

    let own = TaskId(first.0 + 1);
    let spec = || chosen(own, "{}");
    assert_eq!(world.submit(spec()).await.unwrap(), own);
    world.handle.cancel(user(), own, "").await.unwrap();
    assert_eq!(world.submit(spec()).await.unwrap(), own, "a repetition");
    assert!(taken(world.submit(chosen(own, "{\"a\":1}")).await));
    world.end().await;
}

#[tokio::test]
async fn a_full_disk_refuses_submits_serves_the_last_view_and_passes_by_itself() {
    let world = world().await;
    let epoch = world.ready(0).await;
    let (out, mut reader) = outbox();
    world
        .handle
        .session_opened(world.handle.next_session(), out, worker(1))
        .await
        .unwrap();
    assert!(matches!(
        next(&mut reader).await,
        Out::Send(Send::Welcome(_))
    ));
    let mut views = world.handle.view_changes();
    timeout(SOON, views.wait_for(|view| view.view.nodes.len() == 1))
        .await
        .unwrap()
        .unwrap();
    world.disk.set_full(true);
    assert_eq!(
        world.submit(echo()).await.unwrap_err().code,
        ErrorCode::Unavailable,
        "it was on its way"
    );
    let mut phases = world.handle.phase_changes();
    timeout(
        SOON,
        phases.wait_for(|phase| matches!(phase, Phase::Failed(_))),
    )
    .await
    .unwrap()
    .unwrap();
    assert_eq!(
        world.submit(echo()).await.unwrap_err().code,
        ErrorCode::StoreFull
    );
    assert!(!world.handle.health().is_ready());
    assert_eq!(
        world.handle.view().view.nodes.len(),
        1,
        "reads go on from the last view"
    );
    while !matches!(next(&mut reader).await, Out::End) {}
    assert!(
        matches!(reader.end(), End::Draining { .. }),
        "workers are told to come back"
    );
    world.disk.set_full(false);
    world.ready(epoch).await;
    world.submit(echo()).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn more_bytes_than_the_disk_takes_are_refused_and_nobody_waits_for_ever() {
    let world = world().await;
    world.disk.set_slow(Duration::from_millis(300));
    let big = || v1::TaskSpec {
        parameters: format!("{{\"text\":\"{}\"}}", "x".repeat(1_000_000)),
        ..echo()
    };
    let outcomes = futures_util::future::join_all((0..100).map(|_| world.submit(big()))).await;
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let codes: Vec<ErrorCode> = refused.map(|refusal| refusal.code).collect();
    assert!(
        !codes.is_empty() && codes.len() < 100,
        "{} of 100 were refused",
        codes.len()
    );
    assert!(codes.iter().all(|code| *code == ErrorCode::QueueFull));
    world.submit(echo()).await.unwrap();
    world.end().await;
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from its beginning to its end"
)]
async fn a_worker_is_welcomed_offered_and_acknowledged_in_order() {
    let world = world().await;
    let (out, mut reader) = outbox();
    let session = world.handle.next_session();
    world
        .handle
        .session_opened(session, out, worker(2))
        .await
        .unwrap();
    let mut following = world.handle.follow(Vec::new());
    let task = world.submit(echo()).await.unwrap();
    assert!(matches!(
        next(&mut reader).await,
        Out::Send(Send::Welcome(_))
    ));
    let Out::Send(Send::Offers {
        offer_seq: 1,
        offers,
    }) = next(&mut reader).await
    else {
        panic!("an offer was expected");
    };
    assert_eq!(
        world.disk.count("a/"),
        1,
        "the assignment is durable before the offer leaves"
    );
    assert_eq!(offers[0].task, task);
    let specs = world.handle.specs(vec![task]).await.unwrap();
    assert!(specs[0].is_some());
    drop(std::mem::replace(
        &mut following,
        world.handle.follow(vec![task]),
    ));
    let started = SessionEvent::Updates {
        started: vec![offers[0].lease],
        progress: Vec::new(),
    };
    world.handle.session_event(session, started).await.unwrap();
    let result = AttemptResult {
        lease: offers[0].lease,
        outcome: openclaw_common::status::Outcome::Succeeded,
        exit_code: None,
        message: Box::default(),
        run_ms: 3,
        payload: prost::Message::encode_to_vec(&v1::TaskResult {
            result: "{}".into(),
            ..v1::TaskResult::default()
        })
        .into(),
    };
    world
        .handle
        .session_event(session, SessionEvent::Results(vec![result]))
        .await
        .unwrap();
    let Out::Send(Send::ResultAcks(acks)) = next(&mut reader).await else {
        panic!("an acknowledgement was expected");
    };
    assert_eq!(acks, [offers[0].lease]);
    assert_eq!(
        world.disk.count("r/"),
        1,
        "the result is durable before it is acknowledged"
    );
    let mut statuses = Vec::new();
    loop {
        let Followed::Change(change) = timeout(SOON, following.next()).await.unwrap() else {
            panic!("no change is lost");
        };
        statuses.push(change.notice.status);
        if change.notice.status.is_final() {
            assert_eq!(
                change.end.map(|end| end.run_ms),
                Some(3),
                "the end is at hand for who follows"
            );
            break;
        }
    }
    assert_eq!(statuses, [TaskStatus::Running, TaskStatus::Completed]);
    let (record, is_final) = world.handle.wait_final(task, SOON).await.unwrap();
    assert!(is_final && record.status() == TaskStatus::Completed);
    world.end().await;
}

#[tokio::test]
async fn draining_sends_workers_away_and_stopping_flushes_what_was_accepted() {
    let world = world().await;
    let (out, mut reader) = outbox();
    world
        .handle
        .session_opened(world.handle.next_session(), out, worker(2))
        .await
        .unwrap();
    assert!(matches!(
        next(&mut reader).await,
        Out::Send(Send::Welcome(_))
    ));
    world.disk.set_slow(Duration::from_millis(100));
    let handle = world.handle.clone();
    let tasks = handle.prepare(&user(), vec![echo()], "").unwrap();
    let submit = world
        .group
        .spawn("submit", async move { handle.submit(user(), tasks).await });
    while world.group.len() < 2 {
        tokio::task::yield_now().await;
    }
    world.drain.cancel();
    while !matches!(next(&mut reader).await, Out::End) {}
    assert!(matches!(reader.end(), End::Draining { .. }));
    let outcome = timeout(SOON, submit).await.unwrap().unwrap();
    let (out, reader) = outbox();
    let late = world
        .handle
        .session_opened(world.handle.next_session(), out, worker(1))
        .await;
    let handle = world.handle.clone();
    let disk = world.end().await;
    drop((late, reader));
    assert_eq!(disk.count("t/"), usize::from(outcome.is_ok()));
    assert_eq!(
        handle.task(TaskId(1)).await.unwrap_err().code,
        ErrorCode::Unavailable
    );
}

#[tokio::test]
async fn a_superseded_worker_is_told_after_its_messages() {
    let world = world().await;
    let (out, mut reader) = outbox();
    let session = world.handle.next_session();
    world
        .handle
        .session_opened(session, out, worker(1))
        .await
        .unwrap();
    assert!(matches!(
        next(&mut reader).await,
        Out::Send(Send::Welcome(_))
    ));
    world
        .handle
        .session_event(session, SessionEvent::Bye)
        .await
        .unwrap();
    assert!(matches!(next(&mut reader).await, Out::End));
    assert_eq!(reader.end(), End::Core(Close::Bye));
    world.end().await;
}

#[tokio::test]
async fn a_store_that_is_locked_at_the_first_start_is_an_error_at_once() {
    let disk = Disk::new();
    let start = crate::store::Start {
        wall: openclaw_common::time::Wall(1),
        random: 1,
    };
    let held = disk.open(start).unwrap();
    let group = TaskGroup::new();
    let parts = DriverParts {
        settings: Settings::default(),
        opener: Opener::in_memory(disk),
        home: None,
        limits: Limits::default(),
        group: group.clone(),
    };
    let (driver, _handle) = Driver::new(parts).unwrap();
    let refused = timeout(SOON, driver.run()).await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    drop(held);
}

#[tokio::test]
async fn pages_join_live_and_final_tasks_newest_first() {
    let world = world().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.submit(echo()).await.unwrap());
    }
    for id in [ids[1], ids[4]] {
        world.handle.cancel(user(), id, "test").await.unwrap();
    }
    ids.sort_unstable();
    ids.reverse();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let filter = TaskFilter {
            before,
            limit: 3,
            ..TaskFilter::default()
        };
        let page = world.handle.page(filter).await.unwrap();
        seen.extend(page.tasks.iter().map(crate::task_record::TaskRecord::id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let cancelled = TaskFilter {
        statuses: vec![TaskStatus::Cancelled],
        limit: 10,
        ..TaskFilter::default()
    };
    assert_eq!(world.handle.page(cancelled).await.unwrap().tasks.len(), 2);
    let mut one = TaskFilter {
        limit: 10,
        ..TaskFilter::default()
    };
    one.only_prefix(&ids[3].to_string()).unwrap();
    let found = world.handle.page(one).await.unwrap().tasks;
    assert_eq!(
        found
            .iter()
            .map(crate::task_record::TaskRecord::id)
            .collect::<Vec<_>>(),
        [ids[3]]
    );
    let states = world.handle.states(ids.clone()).await.unwrap();
    assert!(states.iter().all(Option::is_some));
    world.end().await;
}
