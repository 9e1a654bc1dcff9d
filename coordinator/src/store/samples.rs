//! Rows for tests: one of each kind with every field filled, and small ones by number.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::backoff::Backoff;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::{
    OnLost, OnSleep, Outcome, Priority, RetryOn, Strategy, TaskStatus, TaskType,
};
use openclaw_common::time::Wall;
use openclaw_core::model::{
    Executor, Facts, Inventory, NewTask, Policy, Pools, Requirements, Skill,
};
use openclaw_core::record::{
    BatchId, FinalRow, Gate, Lineage, NodeRow, OfferRow, OfferedAttempt, PastAttempt, StateRow,
    SubmitRow,
};
use openclaw_core::version::{Op, SkillReq};

use super::traits::Start;

/// Seconds since 1970 at which tests begin.
pub(super) const SECONDS: u64 = 1_700_000_000;

pub(super) fn start() -> Start {
    start_at(SECONDS)
}

pub(super) fn start_at(seconds: u64) -> Start {
    Start {
        wall: Wall(seconds * 1000),
        random: 7,
    }
}

/// The `n`th task by id.
pub(super) fn id(n: u64) -> TaskId {
    TaskId::from_parts(SECONDS * 1000 + n, u128::from(n))
}

/// A small task, accepted as the `n`th.
pub(super) fn submit(n: u64) -> SubmitRow {
    SubmitRow {
        seq: n,
        at: Wall(SECONDS * 1000 + n),
        task: NewTask {
            id: id(n),
            id_given: false,
            user: "alice".into(),
            key: None,
            body_hash: u128::from(n) << 64 | 9,
            requirements: Requirements {
                skill: Some("echo".into()),
                skills: vec![SkillReq {
                    name: "echo".into(),
                    version: None,
                }],
                demand: Pools {
                    slots_milli: 1000,
                    ..Pools::default()
                },
                ..Requirements::default()
            },
            policy: Policy::default(),
            priority: Priority::Normal,
            kind: TaskType::Batch,
            not_before: None,
            batch: None,
            parent: None,
            spec: Bytes::from(format!("specification {n}")),
        },
        lineage: None,
    }
}

/// The end of the `n`th task.
pub(super) fn ended(n: u64, status: TaskStatus) -> FinalRow {
    FinalRow {
        id: id(n),
        status,
        code: ReasonCode::Ok,
        detail: "".into(),
        submitted: Wall(SECONDS * 1000 + n),
        completed: Wall(SECONDS * 1000 + n + 5),
        retries: 0,
        losses: 0,
        attempts: Vec::new(),
        run_ms: 3,
        ttl_ms: 30,
        had_state: false,
        payload: Bytes::from(format!("result {n}")),
    }
}

/// What the `n`th task has been through.
pub(super) fn state(n: u64) -> StateRow {
    StateRow {
        id: id(n),
        attempt: 1,
        closed: None,
        retries: 1,
        losses: 0,
        deaths: 0,
        cancel: None,
        gate: None,
        started_once: true,
        spawn_failed_on: Vec::new(),
        attempts: Vec::new(),
    }
}

/// `count` attempts decided together, of the tasks from `n` on.
pub(super) fn offer(counter: u64, n: u64, count: u64) -> OfferRow {
    let attempt = |n| OfferedAttempt {
        task: id(n),
        lease: LeaseId {
            epoch: SECONDS,
            counter: n,
        },
        number: 1,
        losses: 0,
    };
    OfferRow {
        id: BatchId {
            epoch: SECONDS,
            counter,
        },
        at: Wall(SECONDS * 1000),
        node: "macbook".into(),
        process_id: "p1".into(),
        offers: (n..n + count).map(attempt).collect(),
    }
}

/// A node with `skills` skills of about 400 bytes.
pub(super) fn node(name: &str, skills: usize) -> NodeRow {
    let skill = |n: usize| {
        let skill = Skill {
            name: format!("skill-{n}").into(),
            version: "1.2.0".into(),
            category: "media".into(),
            description: "d".repeat(300).into(),
            tags: vec!["video".into()],
            content_hash: "abcdef".into(),
            executor: Executor::Agent,
            input_schema: "{}".into(),
            output_schema: "true".into(),
            dependencies: vec!["ffmpeg".into()],
            eligible: n.is_multiple_of(2),
            reasons: vec!["missing program magick".into()],
            costs_money: true,
        };
        (skill.name.clone(), skill)
    };
    NodeRow {
        name: name.into(),
        uid: "uid-1".into(),
        secret_hash: [3; 32],
        process_id: "p1".into(),
        build: "0.1.0".into(),
        facts: Facts {
            hostname: "macbook.local".into(),
            platform: "macos".into(),
            arch: "arm64".into(),
            ip_address: "192.168.1.5".into(),
            tailscale_ip: "100.64.0.5".into(),
            port: 18789,
            cpus: 10,
            memory_bytes: 1 << 34,
            gpus: 1,
        },
        inventory: Arc::new(Inventory {
            skills: (0..skills).map(skill).collect(),
            tags: vec!["gpu".into(), "home".into()],
            pools: pools(),
            prefetch: 4,
            allow_commands: true,
        }),
        registered: Wall(1),
        last_seen: Wall(2),
        succeeded: 3,
        failed: 4,
        run_ms: 5,
    }
}

fn pools() -> Pools {
    Pools {
        slots_milli: 5000,
        cpu_milli: 8000,
        memory_bytes: 1 << 33,
        gpus: 1,
        custom: BTreeMap::from([("licence".into(), 2)]),
    }
}

/// A task with every field filled.
pub(super) fn full_submit() -> SubmitRow {
    let mut row = submit(1);
    row.lineage = Some(Lineage {
        root: id(7),
        depth: 2,
    });
    let task = &mut row.task;
    task.parent = Some(id(8));
    task.id_given = true;
    task.key = Some("nightly".into());
    task.requirements.skills.push(SkillReq {
        name: "ffmpeg".into(),
        version: Some((Op::AtLeast, "1.2".into())),
    });
    task.requirements.command = true;
    task.requirements.tags = vec!["gpu".into()];
    task.requirements.node = Some("macbook".into());
    task.requirements.demand = pools();
    task.requirements.strategy = Some(Strategy::BestFit);
    task.requirements.affinity = vec!["home".into()];
    task.policy = Policy {
        timeout_ms: Some(60_000),
        queue_timeout_ms: Some(1),
        max_retries: 2,
        backoff: Backoff {
            base_ms: 10,
            cap_ms: 20,
        },
        retry_on: vec![RetryOn::Exit, RetryOn::Output],
        no_retry_on: vec![-1, 78],
        on_lost: OnLost::Fail,
        on_sleep: OnSleep::Requeue,
        ttl_ms: 99,
    };
    task.priority = Priority::Critical;
    task.kind = TaskType::Daemon;
    task.not_before = Some(Wall(5));
    task.batch = Some("b1".into());
    row
}

/// An attempt with every field filled.
pub(super) fn past_attempt() -> PastAttempt {
    PastAttempt {
        number: 2,
        lease: LeaseId {
            epoch: 5,
            counter: 6,
        },
        node: "macbook".into(),
        offered: Wall(7),
        started: Some(Wall(8)),
        ended: Wall(9),
        outcome: Some(Outcome::Exit),
        code: ReasonCode::Exit,
        exit_code: Some(-3),
        message: "exit code -3".into(),
    }
}

/// A state with every field filled.
pub(super) fn full_state() -> StateRow {
    StateRow {
        closed: Some(LeaseId {
            epoch: 5,
            counter: 6,
        }),
        losses: 2,
        deaths: 3,
        cancel: Some("bob".into()),
        gate: Some(Gate {
            code: ReasonCode::Backoff,
            until: Wall(11),
            span_ms: 12,
        }),
        spawn_failed_on: vec!["main-mac".into()],
        attempts: vec![past_attempt()],
        ..state(1)
    }
}

/// An end with every field filled.
pub(super) fn full_final() -> FinalRow {
    FinalRow {
        code: ReasonCode::QueueTimeout,
        detail: "waited too long".into(),
        retries: 4,
        losses: 5,
        attempts: vec![past_attempt()],
        had_state: true,
        ..ended(1, TaskStatus::Timeout)
    }
}
