//! What a commit costs: batches of new tasks of about 350 bytes a row, durable when the call returns.

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use openclaw_common::id::TaskId;
use openclaw_common::status::{Priority, TaskType};
use openclaw_common::time::Wall;
use openclaw_config::{Storage, StorageType};
use openclaw_coordinator::store::{Batch, Opener, Start};
use openclaw_core::model::{NewTask, Policy, Pools, Requirements};
use openclaw_core::record::{SubmitRow, Write};
use openclaw_core::version::SkillReq;

const SECONDS: u64 = 1_700_000_000;

/// The `n`th task; ids rise with `n` as they do with time.
fn submit(n: u64) -> Write {
    let requirements = Requirements {
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
    };
    let task = NewTask {
        id: TaskId::from_parts(SECONDS * 1000 + n, u128::from(n)),
        id_given: false,
        user: "alice".into(),
        key: None,
        body_hash: u128::from(n),
        requirements,
        policy: Policy::default(),
        priority: Priority::Normal,
        kind: TaskType::Batch,
        not_before: None,
        batch: None,
        parent: None,
        spec: vec![7; 200].into(),
    };
    Write::Submit(Box::new(SubmitRow {
        seq: n,
        at: Wall(SECONDS * 1000 + n),
        task,
        lineage: None,
    }))
}

fn commits(criterion: &mut Criterion, kind: StorageType, path: &Path) {
    let storage = Storage {
        kind,
        path: path.join("cluster.db"),
    };
    let start = Start {
        wall: Wall(SECONDS * 1000),
        random: 1,
    };
    let mut store = Opener::new(&storage)
        .open(start)
        .expect("a new store opens");
    let epoch = store.load().expect("a new store loads").epoch;
    let (tasks, mut seq) = (Cell::new(0), 0);
    let mut group = criterion.benchmark_group(format!("commit/{}", store.engine()));
    for size in [1_u64, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let batch = || {
                let first = tasks.replace(tasks.get() + size);
                Batch::new((first..first + size).map(submit).collect())
            };
            bencher.iter_batched(
                batch,
                |batch| {
                    seq += 1;
                    store
                        .commit(epoch, seq, black_box(&batch))
                        .expect("a commit");
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    commits(criterion, StorageType::Memory, dir.path());
    for (kind, place) in [(StorageType::Sled, "sled"), (StorageType::Sqlite, "sqlite")] {
        let folder = dir.path().join(place);
        std::fs::create_dir(&folder).expect("a folder");
        commits(criterion, kind, &folder);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = store
}
criterion_main!(benches);
