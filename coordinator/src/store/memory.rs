//! An engine in memory: for `storage.type: memory`, tests and simulation. It can be told to fail.
//!
//! The same rows, the same rules; a `Disk` is what outlives a crash. Deterministic: it reads no clock and has no
//! thread, and every failure is one that was asked for.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use bytes::Bytes;

use super::engine::{Change, Engine, Ops, Span, View, Visit};
use super::error::StoreError;
use super::rows::RowStore;
use super::traits::{Limits, Start, Store};

/// What one step of a disk does instead of working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written; the error is one of the device.
    Refuse,
    /// Nothing is written; the disk is full.
    Full,
    /// Everything is written, and an error is told all the same.
    LoseAck,
    /// Only the first so many new rows are written, without the mark that makes them count, and an error is told.
    Tear(usize),
    /// Nothing is written; the code gives up.
    Panic,
}

/// What survives a crash. Clones are handles on the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    rows: BTreeMap<Vec<u8>, Bytes>,
    /// Counts openings and crashes; a handle of another count is dead.
    owner: u64,
    open: bool,
    faults: VecDeque<(u64, Fault)>,
    steps: u64,
    full: bool,
    piece: Option<usize>,
    slow: Duration,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the store on it. `Locked` while another handle is open, `Full` while the disk is set full.
    pub fn open(&self, start: Start) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(RowStore::new(self.engine()?, start)))
    }

    /// The engine alone.
    pub(super) fn engine(&self) -> Result<Memory, StoreError> {
        let mut platter = self.lock();
        let path = path();
        if platter.open {
            return Err(StoreError::Locked { path });
        }
        if platter.full {
            return Err(StoreError::Full { path });
        }
        platter.open = true;
        platter.owner += 1;
        Ok(Memory {
            disk: self.clone(),
            owner: platter.owner,
            path,
        })
    }

    /// The process that had it open is gone, whatever it still believes: its handle no longer reaches the disk.
    pub fn crash(&self) {
        let mut platter = self.lock();
        platter.open = false;
        platter.owner += 1;
    }

    /// The step after `after` more steps fails so. A commit is one step, or one per piece; loading is one.
    pub fn fail_after(&self, after: u64, fault: Fault) {
        let mut platter = self.lock();
        let at = platter.steps + after + 1;
        platter.faults.push_back((at, fault));
    }

    /// The next step fails so.
    pub fn fail_next(&self, fault: Fault) {
        self.fail_after(0, fault);
    }

    /// Forgets all faults that have not happened.
    pub fn heal(&self) {
        let mut platter = self.lock();
        platter.faults.clear();
        platter.full = false;
    }

    /// While full, every step and every opening fails.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Every step takes so long; the thread that commits sleeps.
    pub fn set_slow(&self, slow: Duration) {
        self.lock().slow = slow;
    }

    /// A batch of more writes is applied in several steps, split between events where its cuts allow it.
    pub fn set_piece(&self, writes: usize) {
        self.lock().piece = Some(writes);
    }

    /// Steps taken, failed ones included.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Rows on the disk whose keys begin so.
    pub fn count(&self, prefix: &str) -> usize {
        let platter = self.lock();
        platter
            .rows
            .keys()
            .filter(|key| key.starts_with(prefix.as_bytes()))
            .count()
    }

    /// Flips one bit of the `index`th row whose key begins so; false when there is none or its value is empty.
    pub fn damage(&self, prefix: &str, index: usize, bit: usize) -> bool {
        let mut platter = self.lock();
        let mut rows = platter
            .rows
            .iter_mut()
            .filter(|(key, _)| key.starts_with(prefix.as_bytes()));
        let Some((_, value)) = rows.nth(index).filter(|(_, value)| !value.is_empty()) else {
            return false;
        };
        let mut bytes = value.to_vec();
        let at = (bit / 8) % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
        *value = bytes.into();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        // Rows are replaced one by one and each stays whole: a poisoned map is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path() -> PathBuf {
    PathBuf::from("(memory)")
}

impl Platter {
    /// The fault of this step, if it has one.
    fn step(&mut self) -> Option<Fault> {
        self.steps += 1;
        let steps = self.steps;
        let at = self.faults.iter().position(|(step, _)| *step <= steps);
        let planned = at
            .and_then(|at| self.faults.remove(at))
            .map(|(_, fault)| fault);
        if self.full {
            Some(Fault::Full)
        } else {
            planned
        }
    }

    fn add(&mut self, rows: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        self.rows
            .extend(rows.map(|(key, value)| (key, value.into())));
    }

    fn write(&mut self, ops: Ops) {
        self.add(ops.adds.into_iter());
        for change in ops.changes {
            match change {
                Change::Put(key, value) => drop(self.rows.insert(key, value.into())),
                Change::Delete(key) => drop(self.rows.remove(&key)),
            }
        }
    }
}

/// One opening of a disk.
pub(super) struct Memory {
    disk: Disk,
    owner: u64,
    path: PathBuf,
}

impl Memory {
    fn refused(&self, what: &str) -> StoreError {
        StoreError::io(&self.path, "write", io::Error::other(what.to_owned()))
    }
}

impl Engine for Memory {
    type View = MemoryView;

    fn name(&self) -> &'static str {
        "memory"
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn limits(&self) -> Limits {
        Limits {
            writes: 16 * 1024,
            bytes: 16 * 1024 * 1024,
        }
    }

    fn piece(&self) -> usize {
        self.disk.lock().piece.unwrap_or(usize::MAX)
    }

    fn witnessed(&self) -> Option<u64> {
        None
    }

    fn view(&self) -> MemoryView {
        MemoryView {
            disk: self.disk.clone(),
            owner: self.owner,
        }
    }

    #[expect(
        clippy::panic,
        reason = "asked for by a test, to see that the thread above survives it"
    )]
    fn apply(&mut self, ops: Ops) -> Result<(), StoreError> {
        let slow = self.disk.lock().slow;
        if !slow.is_zero() {
            thread::sleep(slow);
        }
        let mut platter = self.disk.lock();
        if platter.owner != self.owner {
            return Err(StoreError::Closed);
        }
        match platter.step() {
            None => {
                platter.write(ops);
                Ok(())
            }
            Some(Fault::Refuse) => Err(self.refused("the device failed, as asked")),
            Some(Fault::Full) => Err(StoreError::Full {
                path: self.path.clone(),
            }),
            Some(Fault::LoseAck) => {
                platter.write(ops);
                Err(self.refused("the device failed after writing, as asked"))
            }
            Some(Fault::Tear(rows)) => {
                platter.add(ops.adds.into_iter().take(rows));
                Err(self.refused("the device failed while writing, as asked"))
            }
            Some(Fault::Panic) => {
                drop(platter);
                panic!("the engine gave up, as asked")
            }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut platter = self.disk.lock();
        if platter.owner == self.owner {
            platter.open = false;
        }
    }
}

/// Reads of one opening.
#[derive(Debug, Clone)]
pub(super) struct MemoryView {
    disk: Disk,
    owner: u64,
}

impl MemoryView {
    fn platter(&self) -> Result<MutexGuard<'_, Platter>, StoreError> {
        let platter = self.disk.lock();
        if platter.owner == self.owner {
            Ok(platter)
        } else {
            Err(StoreError::Closed)
        }
    }
}

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.platter()?.rows.get(key).cloned())
    }

    fn visit(
        &self,
        span: &Span,
        visitor: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        if span.from >= span.to {
            return Ok(());
        }
        let platter = self.platter()?;
        let bounds = (
            Bound::Included(span.from.as_slice()),
            Bound::Excluded(span.to.as_slice()),
        );
        let mut rows = platter.rows.range::<[u8], _>(bounds);
        while let Some((key, value)) = if span.backwards {
            rows.next_back()
        } else {
            rows.next()
        } {
            if visitor(key, value)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}
