//! sled: the suite, and its directory.

use std::fs;
use std::time::Duration;

use openclaw_core::record::Write;
use tempfile::TempDir;

use super::super::error::StoreError;
use super::super::samples::{node, start, submit};
use super::super::sled::{self, Sled};
use super::super::traits::Batch;
use super::conformance::{Lab, conformance};

struct OnDisk(TempDir);

impl Lab for OnDisk {
    type Engine = Sled;

    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn engine(&self) -> Result<Sled, StoreError> {
        // A second opener is told in these tests after a second, not after ten.
        sled::engine(&self.0.path().join("cluster.db"), Duration::from_secs(1))
    }
}

conformance!(OnDisk);

fn refusal(path: &std::path::Path) -> String {
    sled::open(path, start(), Duration::ZERO)
        .err()
        .unwrap()
        .to_string()
}

#[test]
fn a_file_of_another_engine_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    fs::write(&path, b"SQLite format 3\0 and the rest").unwrap();
    let told = refusal(&path);
    assert!(
        told.contains("cluster.db holds a SQLite database, but storage.type is sled"),
        "{told}"
    );
    fs::write(&path, b"hello").unwrap();
    assert!(refusal(&path).contains("holds a file of something else, but"));
    assert_eq!(fs::read(&path).unwrap(), b"hello");
}

#[test]
fn a_directory_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), b"1").unwrap();
    assert!(refusal(dir.path()).contains("a directory of something else"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_path_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"1").unwrap();
    let told = refusal(&file.join("cluster.db"));
    assert!(
        told.contains("cannot open the store at") && told.contains("cluster.db"),
        "{told}"
    );
}

#[test]
fn an_opening_that_broke_off_does_not_stop_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let load = || {
        let mut store = sled::open(&path, start(), sled::PATIENCE).unwrap();
        store.load().unwrap().epoch
    };
    let first = load();
    let left = path.join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&left, b"half a snap").unwrap();
    assert_eq!(load(), first + 1);
    assert!(!left.exists());
}

#[test]
fn a_first_opening_that_broke_off_does_not_stop_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    fs::create_dir_all(path.join("blobs")).unwrap();
    fs::write(path.join("conf"), "segment_size: 524288\nuse_compr").unwrap();
    let mut store = sled::open(&path, start(), sled::PATIENCE).unwrap();
    store.load().unwrap();
}

#[test]
fn a_store_whose_data_file_is_gone_is_damaged_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let load = || sled::open(&path, start(), sled::PATIENCE).and_then(|mut store| store.load());
    load().unwrap();
    load().unwrap();
    fs::remove_file(path.join("db")).unwrap();
    for _ in 0..2 {
        let told = load();
        assert!(matches!(told, Err(StoreError::Damaged { .. })), "{told:?}");
    }
}

#[test]
fn what_is_large_makes_no_files_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let mut store = sled::open(&path, start(), sled::PATIENCE).unwrap();
    let epoch = store.load().unwrap().epoch;
    for seq in 1..=20 {
        let mut row = submit(seq);
        row.task.spec = vec![1; 1024 * 1024].into();
        let nodes = (0..20).map(|n| Write::Node(Box::new(node(&format!("node-{n}"), 12))));
        let writes = nodes.chain([Write::Submit(Box::new(row))]).collect();
        store.commit(epoch, seq, &Batch::new(writes)).unwrap();
    }
    assert_eq!(fs::read_dir(path.join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_damaged_data_file_is_an_error_and_never_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let mut store = sled::open(&path, start(), sled::PATIENCE).unwrap();
    let epoch = store.load().unwrap().epoch;
    for seq in 1..=50 {
        let writes = (0..20)
            .map(|n| Write::Submit(Box::new(submit(seq * 20 + n))))
            .collect();
        store.commit(epoch, seq, &Batch::new(writes)).unwrap();
    }
    drop(store);
    let whole = fs::read(path.join("db")).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for part in 1..8 {
        let mut changed = whole.clone();
        let at = used * part / 8;
        for byte in &mut changed[at..at + 64] {
            *byte ^= 0x5a;
        }
        let copy = dir.path().join(format!("copy-{part}"));
        fs::create_dir(&copy).unwrap();
        for file in ["conf", "committed"] {
            fs::copy(path.join(file), copy.join(file)).unwrap();
        }
        fs::write(copy.join("db"), changed).unwrap();
        let loaded = sled::open(&copy, start(), Duration::ZERO).and_then(|mut store| store.load());
        // What a later page has made worthless may be lost without harm.
        assert!(
            loaded
                .as_ref()
                .map_or(true, |loaded| loaded.tasks.len() == 1_000),
            "{part}: {loaded:?}"
        );
    }
}
