//! What is written, row by row, and what a restart finds. Values only: the store gives them their encoding.
//!
//! A task that goes straight costs two rows (`SubmitRow`, `FinalRow`) and its share of one `OfferRow` per batch.

use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{ClusterId, LeaseId, TaskId};
use openclaw_common::status::{Outcome, TaskStatus};
use openclaw_common::time::Wall;

use crate::model::{Facts, Inventory, NewTask};

/// One row to write or to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A task was accepted (`t/`, specification in `s/` when large, key in `k/` when there is one).
    Submit(Box<SubmitRow>),
    /// Attempts were decided (`a/`).
    Offer(OfferRow),
    /// All attempts of that row have ended (`a/` deleted).
    OfferDone(BatchId),
    /// A task left the straight path (`h/`, replaces the row before).
    State(Box<StateRow>),
    /// A task is final (`r/`, payload in chunks when large; `h/` deleted when `had_state`; `x/` for outcomes other than completed).
    Final(Box<FinalRow>),
    /// A node is known, or changed (`n/`).
    Node(Box<NodeRow>),
}

/// Names one row of decided attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BatchId {
    /// Epoch of the decision.
    pub epoch: u64,
    /// Counts rows within the epoch.
    pub counter: u64,
}

/// An accepted task; never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitRow {
    /// Order of acceptance, over all epochs.
    pub seq: u64,
    /// When.
    pub at: Wall,
    /// The task as it came.
    pub task: NewTask,
    /// Where it stands among tasks submitted from inside each other; `None` for one that people submitted.
    pub lineage: Option<Lineage>,
}

/// The place of a task that was submitted from inside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lineage {
    /// The first of its line, which people submitted.
    pub root: TaskId,
    /// 1 for a child of the root.
    pub depth: u32,
}

/// Attempts decided together for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRow {
    /// Its name.
    pub id: BatchId,
    /// When.
    pub at: Wall,
    /// The node's name.
    pub node: Arc<str>,
    /// The node's worker process then.
    pub process_id: Arc<str>,
    /// The attempts.
    pub offers: Vec<OfferedAttempt>,
}

/// One attempt of an `OfferRow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferedAttempt {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub lease: LeaseId,
    /// Its number.
    pub number: u32,
    /// Losses charged to the task up to and including this decision.
    pub losses: u32,
}

/// What a task has been through, when it did not go straight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// The task.
    pub id: TaskId,
    /// Number of the latest attempt that counts as used up.
    pub attempt: u32,
    /// Lease of the attempt that this row closes; an `OfferRow` with a later one supersedes the row's idleness.
    pub closed: Option<LeaseId>,
    /// Retries used.
    pub retries: u32,
    /// Losses charged.
    pub losses: u32,
    /// Deaths of a worker's process under it.
    pub deaths: u32,
    /// Somebody asked to cancel it.
    pub cancel: Option<Box<str>>,
    /// It waits until then.
    pub gate: Option<Gate>,
    /// It has started at least once, which ends its queue timeout.
    pub started_once: bool,
    /// Nodes on which it could not be started.
    pub spawn_failed_on: Vec<Arc<str>>,
    /// Failed attempts, oldest first, the last 20.
    pub attempts: Vec<PastAttempt>,
}

/// Something that holds a task back until a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Which kind: `NOT_BEFORE` or `BACKOFF`.
    pub code: ReasonCode,
    /// Until when on the coordinator's wall clock.
    pub until: Wall,
    /// How long it was set for, in milliseconds; a restart waits at most so long.
    pub span_ms: u64,
}

/// An attempt that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastAttempt {
    /// Its number.
    pub number: u32,
    /// Its lease.
    pub lease: LeaseId,
    /// Its node.
    pub node: Arc<str>,
    /// When it was offered.
    pub offered: Wall,
    /// When it started, if it did.
    pub started: Option<Wall>,
    /// When its end was known.
    pub ended: Wall,
    /// How it ended; `None`: lost.
    pub outcome: Option<Outcome>,
    /// Why.
    pub code: ReasonCode,
    /// Exit code, if any.
    pub exit_code: Option<i32>,
    /// A sentence for people.
    pub message: Box<str>,
}

/// A task's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalRow {
    /// The task.
    pub id: TaskId,
    /// One of the four final states.
    pub status: TaskStatus,
    /// Why.
    pub code: ReasonCode,
    /// Why, for people.
    pub detail: Box<str>,
    /// When it was accepted.
    pub submitted: Wall,
    /// When it became final.
    pub completed: Wall,
    /// Retries used.
    pub retries: u32,
    /// Losses charged.
    pub losses: u32,
    /// Every kept attempt, the last one last.
    pub attempts: Vec<PastAttempt>,
    /// Milliseconds that the last attempt ran.
    pub run_ms: u64,
    /// How long the record is kept, in milliseconds.
    pub ttl_ms: u64,
    /// There is an `h/` row to delete.
    pub had_state: bool,
    /// What the worker sent, opaque here; empty when no attempt ended it.
    pub payload: Bytes,
}

/// A known node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub name: Arc<str>,
    /// Identity of its data directory.
    pub uid: Box<str>,
    /// Hash of the secret bound to that identity.
    pub secret_hash: [u8; 32],
    /// Its worker process when last connected.
    pub process_id: Arc<str>,
    /// Its worker's build.
    pub build: Box<str>,
    /// Facts when last connected.
    pub facts: Facts,
    /// Inventory when last connected.
    pub inventory: Arc<Inventory>,
    /// When it was first seen.
    pub registered: Wall,
    /// When it was last heard of, within 10 s.
    pub last_seen: Wall,
    /// Attempts completed there.
    pub succeeded: u64,
    /// Attempts that ended otherwise there.
    pub failed: u64,
    /// Milliseconds that completed attempts ran there.
    pub run_ms: u64,
}

/// What a restart finds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch of this run, already flushed.
    pub epoch: u64,
    /// Highest `seq` of any accepted task, live or final.
    pub last_seq: u64,
    /// Tasks without a final record, in order of `seq`. Their specification may be left out.
    pub tasks: Vec<SubmitRow>,
    /// What they have been through.
    pub states: Vec<StateRow>,
    /// Attempts decided, in order of id; those of final tasks included.
    pub offers: Vec<OfferRow>,
    /// Keys, and ids chosen by callers, of all tasks that are kept.
    pub keys: Vec<KeyRow>,
    /// Nodes.
    pub nodes: Vec<NodeRow>,
}

/// A key that names a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose key; empty for an id chosen by the caller.
    pub user: Arc<str>,
    /// The key, or the text of the id.
    pub key: Box<str>,
    /// The task.
    pub task: TaskId,
    /// Hash of its request.
    pub body_hash: u128,
}
