//! The thread that owns a store.

use std::time::Duration;

use openclaw_core::record::Write;

use super::super::error::StoreError;
use super::super::memory::{Disk, Fault};
use super::super::samples::{id, start, submit};
use super::super::thread::StoreThread;
use super::super::traits::Batch;

fn batch(n: u64) -> Batch {
    Batch::new(vec![Write::Submit(Box::new(submit(n)))])
}

fn thread(disk: &Disk) -> StoreThread {
    let disk = disk.clone();
    StoreThread::start(move || disk.open(start())).unwrap()
}

#[tokio::test]
async fn a_batch_is_durable_and_readable_when_its_completion_is_there() {
    let disk = Disk::new();
    let thread = thread(&disk);
    let opened = thread.open().await.unwrap();
    assert_eq!(opened.engine, "memory");
    disk.set_slow(Duration::from_millis(5));
    let done = thread.submit(batch(1)).await.unwrap();
    assert_eq!((done.writes, done.bytes), (1, batch(1).bytes()));
    assert!(done.took >= Duration::from_millis(5));
    assert!(opened.reader.submit(id(1)).unwrap().is_some());
    thread.close().await;
    assert_eq!(disk.open(start()).unwrap().load().unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn after_an_error_nothing_is_taken_until_the_store_is_opened_again() {
    let disk = Disk::new();
    let thread = thread(&disk);
    assert!(matches!(
        thread.submit(batch(1)).await,
        Err(StoreError::Closed)
    ));
    let first = thread.open().await.unwrap();
    disk.fail_next(Fault::Full);
    assert!(matches!(
        thread.submit(batch(1)).await,
        Err(StoreError::Full { .. })
    ));
    assert!(matches!(
        thread.submit(batch(1)).await,
        Err(StoreError::Closed)
    ));
    let second = thread.open().await.unwrap();
    assert!(second.loaded.epoch > first.loaded.epoch);
    thread.submit(batch(1)).await.unwrap();
    assert!(matches!(
        first.reader.submit(id(1)),
        Err(StoreError::Closed)
    ));
}

#[tokio::test]
async fn an_engine_that_gives_up_is_an_error() {
    let disk = Disk::new();
    let thread = thread(&disk);
    thread.open().await.unwrap();
    disk.fail_next(Fault::Panic);
    let told = thread.submit(batch(1)).await.unwrap_err();
    assert!(
        matches!(&told, StoreError::Panicked { doing: "commit", what } if what.contains("as asked")),
        "{told}"
    );
    disk.fail_next(Fault::Panic);
    assert!(matches!(
        thread.open().await,
        Err(StoreError::Panicked { doing: "open", .. })
    ));
    thread.open().await.unwrap();
    thread.submit(batch(1)).await.unwrap();
}

#[tokio::test]
async fn a_failed_opening_can_be_tried_again() {
    let disk = Disk::new();
    let thread = thread(&disk);
    disk.set_full(true);
    assert!(matches!(thread.open().await, Err(StoreError::Full { .. })));
    disk.set_full(false);
    thread.open().await.unwrap();
}

#[tokio::test]
async fn a_third_batch_at_once_is_refused() {
    let disk = Disk::new();
    let thread = thread(&disk);
    thread.open().await.unwrap();
    disk.set_slow(Duration::from_millis(300));
    let waiting: Vec<_> = (1..=8).map(|n| thread.submit(batch(n))).collect();
    let mut busy = 0;
    for completion in waiting {
        busy += usize::from(matches!(completion.await, Err(StoreError::Busy)));
    }
    assert!((5..=7).contains(&busy), "{busy}");
}
