//! The embedded store: sled 0.34.7, with the care it needs.
//!
//! One tree; one atomic batch per commit, then `flush` and a barrier on the disk; no background flusher, which would
//! hide its errors; small values, since large pages become files that are never removed; the first error is the last
//! use of a handle.

use std::fs::{self, File, TryLockError};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{io, thread};

use ::sled::{Config, Db, Error, Tree};
use bytes::Bytes;
use openclaw_runtime::fsx;
use openclaw_runtime::platform::files;

use super::caught::caught;
use super::engine::{Change, Engine, Ops, Span, View, Visit};
use super::error::StoreError;
use super::place::Found;
use super::rows::RowStore;
use super::sync::Barrier;
use super::traits::{Limits, Start, Store};
use super::witness::Witness;

/// How long an opening waits for a former holder: sled gives its lock back some time after its handle is dropped.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const RETRY_EVERY: Duration = Duration::from_millis(50);
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// What we keep beside it.
const WITNESS: &str = "committed";

/// Opens the store in the directory `path`, made when missing, for its owner alone. Waits up to `patience` for a
/// former holder. A file, or a directory of something else, is refused by name.
pub(super) fn open(
    path: &Path,
    start: Start,
    patience: Duration,
) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(RowStore::new(engine(path, patience)?, start)))
}

/// The engine alone.
pub(super) fn engine(path: &Path, patience: Duration) -> Result<Sled, StoreError> {
    check_place(path)?;
    let opening = |source| StoreError::io(path, "open", source);
    fsx::create_owner_only_dir(path).map_err(opening)?;
    let db = open_patiently(path, patience)?;
    let barrier = Barrier::new(&path.join("db")).map_err(opening)?;
    let witness = Witness::open(&path.join(WITNESS)).map_err(opening)?;
    for folder in [Some(path), path.parent()].into_iter().flatten() {
        if !folder.as_os_str().is_empty() {
            files::sync_dir(folder).map_err(opening)?;
        }
    }
    Ok(Sled {
        tree: (*db).clone(),
        _db: db,
        barrier,
        witness,
        path: path.to_owned(),
    })
}

/// Refuses a place that holds something else.
fn check_place(path: &Path) -> Result<(), StoreError> {
    match Found::at(path)? {
        Found::Nothing | Found::EmptyDirectory | Found::Sled => Ok(()),
        other => Err(other.refused(path, "sled")),
    }
}

fn open_patiently(path: &Path, patience: Duration) -> Result<Db, StoreError> {
    let began = Instant::now();
    loop {
        let config = Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        // Recovery of a damaged file can panic.
        let opened = caught("open", || {
            sweep(path)?;
            config.open().map_err(|error| failed(path, "open", error))
        });
        match opened {
            Err(StoreError::Locked { .. }) if began.elapsed() < patience => {
                thread::sleep(RETRY_EVERY);
            }
            other => return other,
        }
    }
}

/// Removes what an opening that broke off has left: sled would take its unfinished snapshot for the newest one and
/// call the store damaged, for ever. Only while nobody has the store open.
fn sweep(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(path, "open", source);
    let held = match File::options().write(true).open(path.join("db")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return sweep_settings(path),
        Err(error) => return Err(failed(error)),
    };
    match held.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let path = path.to_owned();
            return Err(StoreError::Locked { path });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The settings are written before the data file is made: without it they may be half written and describe nothing.
fn sweep_settings(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path.join("conf")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io(path, "open", error))
        }
        _ => Ok(()),
    }
}

/// An error of sled in our words.
fn failed(path: &Path, doing: &'static str, error: Error) -> StoreError {
    match error {
        // sled keeps neither the kind nor the number of this one.
        Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            StoreError::Locked {
                path: path.to_owned(),
            }
        }
        Error::Io(error) => StoreError::io(path, doing, error),
        Error::Corruption { at, .. } => StoreError::Damaged {
            path: path.to_owned(),
            key: at.map_or_else(|| "an unknown place".to_owned(), |at| at.to_string()),
            detail: "sled found a wrong checksum".to_owned(),
        },
        other => StoreError::io(path, doing, io::Error::other(other.to_string())),
    }
}

/// An open sled.
pub(super) struct Sled {
    tree: Tree,
    // Held for the lock on its directory.
    _db: Db,
    barrier: Barrier,
    witness: Witness,
    path: PathBuf,
}

impl Engine for Sled {
    type View = SledView;

    fn name(&self) -> &'static str {
        "sled"
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn limits(&self) -> Limits {
        // Beyond a thousand rows a batch gains nothing: sled takes about 7 µs for each.
        Limits {
            writes: 4 * 1024,
            bytes: 8 * 1024 * 1024,
        }
    }

    fn piece(&self) -> usize {
        usize::MAX
    }

    fn witnessed(&self) -> Option<u64> {
        self.witness.known
    }

    fn view(&self) -> SledView {
        SledView {
            tree: self.tree.clone(),
            path: self.path.clone(),
        }
    }

    fn apply(&mut self, ops: Ops) -> Result<(), StoreError> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in ops.adds {
            batch.insert(key, value);
        }
        for change in ops.changes {
            match change {
                Change::Put(key, value) => batch.insert(key, value),
                Change::Delete(key) => batch.remove(key),
            }
        }
        self.tree
            .apply_batch(batch)
            .map_err(|error| failed(&self.path, "write", error))?;
        self.tree
            .flush()
            .map_err(|error| failed(&self.path, "sync", error))?;
        let syncing = |error| StoreError::io(&self.path, "sync", error);
        self.barrier.wait().map_err(syncing)?;
        self.witness.write(ops.commit).map_err(syncing)
    }
}

/// Reads of an open sled.
#[derive(Clone)]
pub(super) struct SledView {
    tree: Tree,
    path: PathBuf,
}

impl View for SledView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let read = || {
            self.tree
                .get(key)
                .map_err(|error| failed(&self.path, "read", error))
        };
        Ok(caught("read", read)?.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn visit(
        &self,
        span: &Span,
        visitor: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        if span.from >= span.to {
            return Ok(());
        }
        caught("read", || {
            let mut rows = self.tree.range(span.from.as_slice()..span.to.as_slice());
            while let Some(row) = if span.backwards {
                rows.next_back()
            } else {
                rows.next()
            } {
                let (key, value) = row.map_err(|error| failed(&self.path, "read", error))?;
                if visitor(&key, &value)? == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }
}
