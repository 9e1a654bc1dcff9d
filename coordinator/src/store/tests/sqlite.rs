//! SQLite: the suite, and its file.

use std::fs;
use std::path::Path;

use openclaw_core::record::{Loaded, Write};
use tempfile::TempDir;

use super::super::error::StoreError;
use super::super::samples::{id, start, submit};
use super::super::sqlite::{self, Sqlite};
use super::super::traits::{Batch, Store};
use super::conformance::{Lab, conformance};

struct OnDisk(TempDir);

impl Lab for OnDisk {
    type Engine = Sqlite;

    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn engine(&self) -> Result<Sqlite, StoreError> {
        sqlite::engine(&self.0.path().join("cluster.db"))
    }
}

conformance!(OnDisk);

fn load(path: &Path) -> Result<Loaded, StoreError> {
    sqlite::open(path, start()).and_then(|mut store| store.load())
}

fn refusal(path: &Path) -> String {
    load(path).unwrap_err().to_string()
}

/// A store with `tasks` tasks in commits of twenty.
fn filled(path: &Path, tasks: u64) -> Box<dyn Store> {
    let mut store = sqlite::open(path, start()).unwrap();
    let epoch = store.load().unwrap().epoch;
    for seq in 1..=tasks / 20 {
        let writes = (0..20)
            .map(|n| Write::Submit(Box::new(submit(seq * 20 + n))))
            .collect();
        store.commit(epoch, seq, &Batch::new(writes)).unwrap();
    }
    store
}

/// What a killed process leaves, elsewhere.
fn remains(path: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for suffix in ["", "-wal", "-committed"] {
        let name = format!("cluster.db{suffix}");
        fs::copy(path.with_file_name(&name), to.join(&name)).unwrap();
    }
}

#[test]
fn what_another_engine_left_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    drop(super::super::sled::open(&path, start(), super::super::sled::PATIENCE).unwrap());
    let told = refusal(&path);
    assert!(
        told.contains("cluster.db holds a sled store, but storage.type is sqlite"),
        "{told}"
    );
    let other = dir.path().join("notes.txt");
    fs::write(&other, b"hello").unwrap();
    assert!(refusal(&other).contains("holds a file of something else, but"));
    assert_eq!(fs::read(&other).unwrap(), b"hello");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("photos.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE photos (name)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert!(refusal(&path).contains("a SQLite database of something else"));
    assert_eq!(fs::read(&path).unwrap(), before);
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

#[cfg(unix)]
#[test]
fn its_files_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let _store = filled(&dir.path().join("cluster.db"), 20);
    let entries: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().collect();
    assert!(entries.len() >= 4, "{entries:?}");
    for entry in entries {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry:?}");
    }
}

#[test]
fn what_a_killed_process_leaves_is_all_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let _running = filled(&path, 200);
    let left = dir.path().join("left");
    remains(&path, &left);
    assert_eq!(load(&left.join("cluster.db")).unwrap().tasks.len(), 200);
}

#[test]
fn a_store_that_was_closed_is_whole_in_its_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    drop(filled(&path, 200));
    let alone = dir.path().join("alone.db");
    fs::copy(&path, &alone).unwrap();
    assert_eq!(load(&alone).unwrap().tasks.len(), 200);
}

#[test]
fn a_damaged_log_and_a_log_that_is_gone_are_damage_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let _running = filled(&path, 200);
    let log = fs::read(path.with_file_name("cluster.db-wal")).unwrap();
    for part in 0..8 {
        let left = dir.path().join(format!("left-{part}"));
        remains(&path, &left);
        let mut changed = log.clone();
        changed[log.len() * part / 8 + 100] ^= 0x10;
        fs::write(left.join("cluster.db-wal"), changed).unwrap();
        let told = load(&left.join("cluster.db"));
        assert!(told.is_err(), "{part}: {told:?}");
    }
    let left = dir.path().join("left");
    remains(&path, &left);
    fs::remove_file(left.join("cluster.db-wal")).unwrap();
    let told = load(&left.join("cluster.db"));
    assert!(told.is_err(), "{told:?}");
}

#[test]
fn a_store_whose_file_is_gone_is_damaged_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    drop(filled(&path, 20));
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let told = load(&path);
        assert!(matches!(told, Err(StoreError::Damaged { .. })), "{told:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let mut store = sqlite::open(&path, start()).unwrap();
    let epoch = store.load().unwrap().epoch;
    fs::remove_file(&path).unwrap();
    let batch = Batch::new(vec![Write::Submit(Box::new(submit(1)))]);
    assert!(store.commit(epoch, 1, &batch).is_err());
}

#[test]
fn a_damaged_file_is_an_error_and_never_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    drop(filled(&path, 1_000));
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for part in 0..32 {
        let mut changed = whole.clone();
        let at = whole.len() * part / 32;
        for byte in &mut changed[at..at + 64] {
            *byte ^= 0x5a;
        }
        let copy = dir.path().join(format!("copy-{part}.db"));
        fs::write(&copy, changed).unwrap();
        let loaded = load(&copy);
        errors += usize::from(loaded.is_err());
        // What lies between the rows may be lost without harm.
        assert!(
            loaded
                .as_ref()
                .map_or(true, |loaded| loaded.tasks.len() == 1_000),
            "{part}: {:?}",
            loaded.map(|loaded| loaded.tasks.len())
        );
    }
    assert!(errors > 16, "{errors} of 32 were noticed");
}

#[test]
fn the_log_stays_bounded_while_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.db");
    let mut store = sqlite::open(&path, start()).unwrap();
    let epoch = store.load().unwrap().epoch;
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell
        .execute_batch("BEGIN; SELECT count(*) FROM rows;")
        .unwrap();
    let mut commit = |seq: u64| {
        let mut row = submit(seq);
        row.task.spec = vec![1; 4 * 1024 * 1024].into();
        let batch = Batch::new(vec![Write::Submit(Box::new(row))]);
        store.commit(epoch, seq, &batch).unwrap();
        fs::metadata(path.with_file_name("cluster.db-wal"))
            .unwrap()
            .len()
    };
    let grown = (1..=12).map(&mut commit).max().unwrap();
    assert!(grown > 48 * 1024 * 1024, "nobody was in the way: {grown}");
    shell.execute_batch("COMMIT").unwrap();
    let last = (13..=24).map(commit).last().unwrap();
    assert!(last <= 40 * 1024 * 1024, "{last}");
    assert!(store.reader().submit(id(24)).unwrap().is_some());
}
