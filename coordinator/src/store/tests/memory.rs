//! The engine in memory: the suite, and its failures.

use openclaw_common::status::TaskStatus;
use openclaw_core::record::{Loaded, Write};

use super::super::error::StoreError;
use super::super::memory::{Disk, Fault, Memory};
use super::super::samples::{ended, id, start, state, submit};
use super::super::traits::{Batch, Store};
use super::conformance::{Lab, conformance};

impl Lab for Disk {
    type Engine = Memory;

    fn new() -> Self {
        Self::new()
    }

    fn engine(&self) -> Result<Memory, StoreError> {
        Self::engine(self)
    }
}

conformance!(Disk);

fn submits(numbers: std::ops::RangeInclusive<u64>) -> Vec<Write> {
    numbers
        .map(|n| Write::Submit(Box::new(submit(n))))
        .collect()
}

fn open(disk: &Disk) -> (Box<dyn Store>, Loaded) {
    let mut store = disk.open(start()).unwrap();
    let loaded = store.load().unwrap();
    (store, loaded)
}

fn tasks_after_restart(disk: &Disk) -> Vec<u64> {
    disk.heal();
    open(disk).1.tasks.iter().map(|row| row.seq).collect()
}

/// Commits three tasks on a disk that holds one, with this fault; returns what a restart finds.
fn after(fault: Fault) -> Vec<u64> {
    let disk = Disk::new();
    let (mut store, loaded) = open(&disk);
    store
        .commit(loaded.epoch, 1, &Batch::new(submits(1..=1)))
        .unwrap();
    disk.fail_next(fault);
    store
        .commit(loaded.epoch, 2, &Batch::new(submits(2..=4)))
        .unwrap_err();
    let next = store.commit(loaded.epoch, 3, &Batch::new(submits(5..=5)));
    assert!(
        matches!(next, Err(StoreError::Closed)),
        "the first error is the last use"
    );
    drop(store);
    tasks_after_restart(&disk)
}

#[test]
fn a_batch_that_was_refused_left_nothing() {
    assert_eq!(after(Fault::Refuse), [1]);
    assert_eq!(after(Fault::Full), [1]);
}

#[test]
fn a_batch_that_was_torn_left_nothing() {
    for rows in 0..=3 {
        assert_eq!(after(Fault::Tear(rows)), [1]);
    }
}

#[test]
fn a_batch_whose_answer_was_lost_is_there() {
    assert_eq!(after(Fault::LoseAck), [1, 2, 3, 4]);
}

#[test]
fn a_torn_batch_neither_deletes_nor_replaces() {
    let disk = Disk::new();
    let (mut store, loaded) = open(&disk);
    let mut first = submits(1..=1);
    first.push(Write::State(Box::new(state(1))));
    store.commit(loaded.epoch, 1, &Batch::new(first)).unwrap();
    disk.fail_next(Fault::Tear(usize::MAX));
    let mut end = ended(1, TaskStatus::Failed);
    end.had_state = true;
    store
        .commit(
            loaded.epoch,
            2,
            &Batch::new(vec![Write::Final(Box::new(end))]),
        )
        .unwrap_err();
    drop(store);
    let loaded = open(&disk).1;
    assert_eq!((loaded.tasks.len(), loaded.states), (1, vec![state(1)]));
    assert_eq!((disk.count("r/"), disk.count("x/")), (0, 0));
}

#[test]
fn a_batch_in_pieces_breaks_off_between_events_only() {
    let disk = Disk::new();
    disk.set_piece(3);
    let (mut store, loaded) = open(&disk);
    // Events of two, two and four rows: a piece is never more than it must be, never less than an event.
    let batch = Batch {
        writes: submits(1..=8),
        cuts: vec![2, 4, 8],
    };
    disk.fail_after(2, Fault::Refuse);
    store.commit(loaded.epoch, 1, &batch).unwrap_err();
    assert!(
        store.reader().submit(id(1)).unwrap().is_none(),
        "not acknowledged, not shown"
    );
    drop(store);
    assert_eq!(tasks_after_restart(&disk), [1, 2, 3, 4]);
}

#[test]
fn a_batch_without_cuts_is_one_step_whatever_its_size() {
    let disk = Disk::new();
    disk.set_piece(3);
    let (mut store, loaded) = open(&disk);
    let before = disk.steps();
    store
        .commit(loaded.epoch, 1, &Batch::new(submits(1..=8)))
        .unwrap();
    let cuts = Batch {
        writes: submits(9..=16),
        cuts: vec![1, 2, 3, 4, 5, 6],
    };
    store.commit(loaded.epoch, 2, &cuts).unwrap();
    assert_eq!(disk.steps() - before, 1 + 3);
}

#[test]
fn a_crashed_handle_no_longer_reaches_the_disk() {
    let disk = Disk::new();
    let (mut old, loaded) = open(&disk);
    let reader = old.reader();
    disk.crash();
    let (mut new, reloaded) = open(&disk);
    assert!(reloaded.epoch > loaded.epoch);
    let late = old.commit(loaded.epoch, 1, &Batch::new(submits(1..=1)));
    assert!(matches!(late, Err(StoreError::Closed)));
    assert!(matches!(reader.submit(id(1)), Err(StoreError::Closed)));
    drop(old);
    assert!(
        matches!(disk.open(start()), Err(StoreError::Locked { .. })),
        "the old handle frees nothing"
    );
    new.commit(reloaded.epoch, 1, &Batch::new(submits(2..=2)))
        .unwrap();
    drop(new);
    assert_eq!(tasks_after_restart(&disk), [2]);
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let disk = Disk::new();
    let (mut store, loaded) = open(&disk);
    disk.set_full(true);
    let full = store.commit(loaded.epoch, 1, &Batch::new(submits(1..=1)));
    assert!(matches!(full, Err(StoreError::Full { .. })));
    drop(store);
    assert!(matches!(disk.open(start()), Err(StoreError::Full { .. })));
    disk.set_full(false);
    let (mut store, loaded) = open(&disk);
    store
        .commit(loaded.epoch, 1, &Batch::new(submits(1..=1)))
        .unwrap();
}

#[test]
fn one_flipped_bit_anywhere_is_found() {
    for prefix in ["t/", "r/", "h/", "m/"] {
        for bit in 0..200 {
            let disk = Disk::new();
            let (mut store, loaded) = open(&disk);
            let mut writes = submits(1..=2);
            writes.push(Write::State(Box::new(state(1))));
            writes.push(Write::Final(Box::new(ended(2, TaskStatus::Completed))));
            store.commit(loaded.epoch, 1, &Batch::new(writes)).unwrap();
            drop(store);
            assert!(disk.damage(prefix, 0, bit));
            let told = disk.open(start()).unwrap().load();
            assert!(
                matches!(told, Err(StoreError::Damaged { .. })),
                "{prefix} {bit}: {told:?}"
            );
        }
    }
}
