use std::fs;
use std::sync::Arc;
use std::time::Duration;

use openclaw_common::id::{ClusterId, LeaseId, TaskId};
use openclaw_runtime::tasks::TaskGroup;

use super::{Done, Keeper, Order, Spool};
use crate::model::Ended;
use crate::state::{Finished, Remembered};

const HOME: ClusterId = ClusterId(1);
const OTHER: ClusterId = ClusterId(2);

fn finished(counter: u64) -> Finished {
    let lease = LeaseId { epoch: 3, counter };
    Finished {
        lease,
        task_id: TaskId(u128::from(counter)),
        queued_ms: 1,
        ended: Ended::not_started("no reason"),
    }
}

fn spool() -> (tempfile::TempDir, Spool) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path()).unwrap();
    (dir, spool)
}

#[test]
fn what_was_written_is_read_by_the_next_process_in_order() {
    let (dir, spool) = spool();
    for counter in [2, 1, 3] {
        spool.write(HOME, &finished(counter)).unwrap();
    }
    spool.remove(finished(3).lease).unwrap();
    spool.remove(finished(9).lease).unwrap();
    let loaded = Spool::open(dir.path()).unwrap().load(Some(HOME)).unwrap();
    assert_eq!(loaded.results, [finished(1), finished(2)]);
    assert!(loaded.aside.is_empty());
}

#[test]
fn every_damaged_file_is_put_aside_and_the_others_are_read() {
    let (dir, spool) = spool();
    spool.write(HOME, &finished(1)).unwrap();
    spool.write(HOME, &finished(2)).unwrap();
    let path = dir.path().join("spool/3-2.result");
    let whole = fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        let loaded = spool.load(Some(HOME)).unwrap();
        assert_eq!(loaded.results, [finished(1)], "byte {position}");
        assert!(
            loaded.aside[0]
                .0
                .ends_with("spool/aside/damaged/3-2.result")
        );
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(
            spool.load(Some(HOME)).unwrap().aside.len(),
            1,
            "{length} bytes"
        );
    }
}

#[test]
fn results_of_another_cluster_are_put_aside_under_its_name() {
    let (dir, spool) = spool();
    spool.write(HOME, &finished(1)).unwrap();
    spool.write(OTHER, &finished(2)).unwrap();
    let loaded = spool.load(Some(HOME)).unwrap();
    assert_eq!(loaded.results, [finished(1)]);
    assert!(
        dir.path()
            .join(format!("spool/aside/{OTHER}/3-2.result"))
            .is_file()
    );
    assert_eq!(spool.set_aside(HOME).unwrap(), 1);
    assert!(spool.load(Some(HOME)).unwrap().results.is_empty());
}

#[test]
fn without_a_memory_of_the_cluster_the_files_tell_it() {
    let (_dir, spool) = spool();
    spool.write(OTHER, &finished(1)).unwrap();
    let loaded = spool.load(None).unwrap();
    assert_eq!((loaded.cluster, loaded.results.len()), (Some(OTHER), 1));
}

#[test]
fn what_a_crash_left_half_written_is_swept_away() {
    let (dir, spool) = spool();
    let half = dir.path().join("spool/3-1.tmp");
    fs::write(&half, "half").unwrap();
    assert!(spool.load(None).unwrap().results.is_empty());
    assert!(!half.exists());
}

#[tokio::test]
async fn orders_are_carried_out_in_order_and_writes_are_answered() {
    let (dir, spool) = spool();
    let tasks = TaskGroup::new();
    let (mut keeper, mut done) = Keeper::start(spool.clone(), dir.path().to_owned(), &tasks);
    for counter in 1..=3 {
        keeper.order(Order::Write {
            cluster: HOME,
            finished: Arc::new(finished(counter)),
        });
    }
    keeper.order(Order::Remove(finished(2).lease));
    keeper.order(Order::Remember(Remembered {
        cluster: HOME,
        epoch: 9,
    }));
    for counter in 1..=3 {
        assert_eq!(
            done.recv().await,
            Some(Done {
                lease: finished(counter).lease,
                written: true
            })
        );
    }
    keeper.finish(Duration::from_secs(10)).await;
    assert_eq!(
        spool.load(Some(HOME)).unwrap().results,
        [finished(1), finished(3)]
    );
    assert_eq!(
        crate::identity::remembered(dir.path()),
        Some(Remembered {
            cluster: HOME,
            epoch: 9
        })
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_write_that_fails_is_answered_so() {
    let (dir, spool) = spool();
    fs::remove_dir_all(dir.path().join("spool")).unwrap();
    let tasks = TaskGroup::new();
    let (mut keeper, mut done) = Keeper::start(spool, dir.path().to_owned(), &tasks);
    keeper.order(Order::Write {
        cluster: HOME,
        finished: Arc::new(finished(1)),
    });
    assert_eq!(
        done.recv().await,
        Some(Done {
            lease: finished(1).lease,
            written: false
        })
    );
    keeper.finish(Duration::from_secs(10)).await;
}
