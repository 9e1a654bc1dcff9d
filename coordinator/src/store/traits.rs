//! What the driver asks of a store and what the faces ask of its reader.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Wall;
use openclaw_core::record::{FinalRow, Loaded, SubmitRow, Write};

use super::error::StoreError;

/// What one commit makes durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The rows, in the order the core asked for them.
    pub writes: Vec<Write>,
    /// Positions in `writes` where one event's rows end and the next event's begin, rising. A batch larger than an
    /// engine takes at once is split there and nowhere else; without cuts it is never split.
    pub cuts: Vec<usize>,
}

impl Batch {
    /// A batch that is never split.
    pub fn new(writes: Vec<Write>) -> Self {
        Self {
            writes,
            cuts: Vec::new(),
        }
    }

    /// Bytes of what a caller or a worker sent: a lower bound of what the batch takes on disk.
    pub fn bytes(&self) -> usize {
        self.writes.iter().map(weight).sum()
    }
}

/// Bytes that a write carries from a caller or a worker.
pub fn weight(write: &Write) -> usize {
    match write {
        Write::Submit(row) => row.task.spec.len(),
        Write::Final(row) => row.payload.len(),
        Write::Offer(_) | Write::OfferDone(_) | Write::State(_) | Write::Node(_) => 0,
    }
}

/// When to stop collecting events for one batch. One event may exceed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub writes: usize,
    /// Bytes, as `Batch::bytes` counts them.
    pub bytes: usize,
}

/// What a run brings along: a store reads no clock and throws no dice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Now, for the epoch and for the id of a new cluster.
    pub wall: Wall,
    /// Random bits for the id of a new cluster; 80 are used.
    pub random: u128,
}

/// The writing side, owned by one thread. The first error of `commit` ends it: drop it and open again.
pub trait Store: Send {
    /// How large batches should be.
    fn limits(&self) -> Limits;

    /// Reads what a restart needs and makes this run the owner: the cluster id is made with the store, the epoch
    /// becomes `max(stored + 1, unix seconds)`, both durable when it returns. Remains of a torn batch are dropped
    /// and reported. Specifications are left out. Once per opening.
    fn load(&mut self) -> Result<Loaded, StoreError>;

    /// Makes a batch durable. `epoch` is the one `load` returned; `seq` counts the commits of this run: 1, 2, 3 ….
    /// After an error it is unknown what became durable, and every later commit is refused.
    fn commit(&mut self, epoch: u64, seq: u64, batch: &Batch) -> Result<(), StoreError>;

    /// For other threads. It works while the store is open, and holds nothing open after it.
    fn reader(&self) -> Arc<dyn Reader>;

    /// `sled`, `memory` …
    fn engine(&self) -> &'static str;

    /// Writes every committed row to a file, which appears whole or not at all. Returns how many rows.
    fn export(&mut self, file: &Path) -> Result<u64, StoreError>;

    /// Fills an empty, not yet loaded store with the rows of an export. Returns how many rows.
    fn import(&mut self, file: &Path) -> Result<u64, StoreError>;
}

/// Reads of what is committed, from any thread. Blocks on the disk: call it where that is allowed.
pub trait Reader: Send + Sync {
    /// The specification of a task, live or final.
    fn spec(&self, task: TaskId) -> Result<Option<Bytes>, StoreError>;

    /// A task as it was accepted, with its specification.
    fn submit(&self, task: TaskId) -> Result<Option<SubmitRow>, StoreError>;

    /// The end of a task, with its payload; `None` while it is live or unknown.
    fn finished(&self, task: TaskId) -> Result<Option<FinalRow>, StoreError>;

    /// Tasks, newest id first.
    fn scan(&self, query: &ScanQuery) -> Result<Page, StoreError>;
}

/// Which tasks to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanQuery {
    /// Only ids below this one: the `next` of the page before.
    pub before: Option<TaskId>,
    /// Only this id and those above.
    pub from: Option<TaskId>,
    /// Only tasks that ended so; empty: all tasks, live ones too. States that are not final match nothing.
    pub statuses: Vec<TaskStatus>,
    /// Most tasks to return.
    pub limit: usize,
    /// Most tasks to look at.
    pub scan: usize,
    /// Read payloads stored beside their rows (over 2 KiB); otherwise those are left empty.
    pub payloads: bool,
}

/// Tasks that matched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Newest id first; a live task has no end.
    pub tasks: Vec<(SubmitRow, Option<FinalRow>)>,
    /// `before` of the next page; `None`: there is nothing more. A page may be shorter than its limit: it also ends
    /// after `scan` tasks looked at and after 8 MiB of specifications and payloads.
    pub next: Option<TaskId>,
}
