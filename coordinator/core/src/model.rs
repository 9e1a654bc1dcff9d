//! What enters the core: tasks with what they require, nodes with what they have. Checked by the shells, so that
//! every value here is within its limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::backoff::Backoff;
use openclaw_common::id::{ClusterId, LeaseId, TaskId};
use openclaw_common::status::{OnLost, OnSleep, Outcome, Priority, RetryOn, Strategy, TaskType};
use openclaw_common::time::Wall;

use crate::version::SkillReq;

/// Who asks, as the shell has established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whose tasks these are unless an admin names another.
    pub user: Arc<str>,
    /// What the principal may do.
    pub role: Role,
}

/// What a principal may do; each role includes those below it, `Worker` stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Open a worker stream.
    Worker,
    /// Look.
    Read,
    /// Submit and cancel own tasks.
    Submit,
    /// Everything.
    Admin,
}

/// What an attempt takes from a node while it runs, or what a node has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pools {
    /// Thousandths of a slot.
    pub slots_milli: u64,
    /// Thousandths of a processor core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whole graphics processors.
    pub gpus: u64,
    /// Custom pools by name, in whole units, none of them 0.
    pub custom: BTreeMap<Box<str>, u64>,
}

/// What a task demands of its node. Tasks with equal requirements form a class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Requirements {
    /// The skill to run; `None` when the task names a command.
    pub skill: Option<Box<str>>,
    /// Skills that must be eligible, sorted, without repeats; holds `skill`.
    pub skills: Vec<SkillReq>,
    /// The node must allow commands.
    pub command: bool,
    /// Tags that the node must have, sorted.
    pub tags: Vec<Box<str>>,
    /// The one node that may run it.
    pub node: Option<Box<str>>,
    /// What it takes.
    pub demand: Pools,
    /// How its node is chosen; `None` is the cluster's way.
    pub strategy: Option<Strategy>,
    /// Tags that are good to have, sorted.
    pub affinity: Vec<Box<str>>,
}

/// How a task is treated. Interned: tasks with equal policies share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Policy {
    /// Longest run of an attempt in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Longest wait for the first start in milliseconds.
    pub queue_timeout_ms: Option<u64>,
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Delays between attempts.
    pub backoff: Backoff,
    /// Kinds of failure that are retried, sorted.
    pub retry_on: Vec<RetryOn>,
    /// Exit codes that are never retried, sorted.
    pub no_retry_on: Vec<i32>,
    /// When its node is lost.
    pub on_lost: OnLost,
    /// When its node sleeps.
    pub on_sleep: OnSleep,
    /// How long its final record is kept, in milliseconds.
    pub ttl_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout_ms: None,
            queue_timeout_ms: None,
            max_retries: 3,
            backoff: Backoff {
                base_ms: 1_000,
                cap_ms: 60_000,
            },
            retry_on: RetryOn::ALL.to_vec(),
            no_retry_on: Vec::new(),
            on_lost: OnLost::Retry,
            on_sleep: OnSleep::Hold,
            ttl_ms: 30 * 24 * 3_600_000,
        }
    }
}

/// A task to accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its id: the caller's, or made by the shell.
    pub id: TaskId,
    /// The caller chose the id.
    pub id_given: bool,
    /// Whose it is.
    pub user: Arc<str>,
    /// The caller's key, in the scope of the user.
    pub key: Option<Box<str>>,
    /// Hash of the request without its id; tells a repeated request from another one under the same key.
    pub body_hash: u128,
    /// What it demands.
    pub requirements: Requirements,
    /// How it is treated.
    pub policy: Policy,
    /// Its level.
    pub priority: Priority,
    /// Its kind.
    pub kind: TaskType,
    /// Earliest start.
    pub not_before: Option<Wall>,
    /// The batch it belongs to.
    pub batch: Option<Box<str>>,
    /// The task from inside which it was submitted.
    pub parent: Option<TaskId>,
    /// The specification as sent to workers and shown to clients; opaque here.
    pub spec: Bytes,
}

/// How a skill is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// A program per task.
    Command,
    /// Compiled into the worker.
    Builtin,
    /// Instructions for a model.
    Agent,
}

/// A skill as a node advertises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// Name.
    pub name: Box<str>,
    /// Version; may be empty.
    pub version: Box<str>,
    /// Category; may be empty.
    pub category: Box<str>,
    /// What it does.
    pub description: Box<str>,
    /// Free tags.
    pub tags: Vec<Box<str>>,
    /// Hash of its content, hex; empty for builtins.
    pub content_hash: Box<str>,
    /// How it is run.
    pub executor: Executor,
    /// JSON Schema of the parameters; may be empty.
    pub input_schema: Box<str>,
    /// JSON Schema of the result; may be empty.
    pub output_schema: Box<str>,
    /// Skills it needs.
    pub dependencies: Vec<Box<str>>,
    /// The node can run it.
    pub eligible: bool,
    /// Why not.
    pub reasons: Vec<Box<str>>,
    /// It costs money to run.
    pub costs_money: bool,
}

/// What a worker can run and how much.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Skills by name.
    pub skills: BTreeMap<Box<str>, Skill>,
    /// Tags, sorted.
    pub tags: Vec<Box<str>>,
    /// Capacity.
    pub pools: Pools,
    /// Offers it queues beyond its free slots.
    pub prefetch: u32,
    /// It runs commands.
    pub allow_commands: bool,
}

/// Facts about a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Host name.
    pub hostname: Box<str>,
    /// macos, windows or linux.
    pub platform: Box<str>,
    /// x64, arm64, x86 or arm.
    pub arch: Box<str>,
    /// Address on the local network.
    pub ip_address: Box<str>,
    /// Address on the tailnet.
    pub tailscale_ip: Box<str>,
    /// The port that the settings name.
    pub port: u16,
    /// Logical processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Graphics processors.
    pub gpus: u32,
}

/// Load in thousandths (0 to 1000), so that the core needs no floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Processors.
    pub cpu_milli: u16,
    /// Memory.
    pub memory_milli: u16,
    /// The disk that holds the worker's data.
    pub disk_milli: u16,
}

/// How far a worker has come with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldState {
    /// Accepted, not started.
    Queued,
    /// Started.
    Running,
    /// Ended; the result is held.
    Finished,
}

/// An attempt that a worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The attempt.
    pub lease: LeaseId,
    /// How far.
    pub state: HeldState,
}

/// The first message of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Lowest protocol it speaks, at least 1.
    pub protocol_min: u32,
    /// Highest protocol it speaks, at least `protocol_min`.
    pub protocol_max: u32,
    /// Its build.
    pub build: Box<str>,
    /// The cluster it last served.
    pub cluster_id: Option<ClusterId>,
    /// Identity of its data directory.
    pub uid: Box<str>,
    /// Hash of the secret bound to that identity.
    pub secret_hash: [u8; 32],
    /// The name it would like; checked by `check_node_id`.
    pub name: Box<str>,
    /// A person chose the name.
    pub name_explicit: bool,
    /// Start of its machine.
    pub boot_id: Box<str>,
    /// Start of its process.
    pub process_id: Box<str>,
    /// Process number, for people.
    pub pid: u32,
    /// Its machine.
    pub facts: Facts,
    /// Its load.
    pub load: Load,
    /// What it can run.
    pub inventory: Inventory,
    /// What it holds.
    pub held: Vec<Held>,
    /// The heartbeat interval it is set to, in milliseconds.
    pub heartbeat_ms: u64,
    /// Counts the streams of its process, from 1; 0: not told.
    pub stream: u64,
}

/// A worker's sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heartbeat {
    /// Its number within the stream.
    pub seq: u64,
    /// Highest offer batch taken in on this stream.
    pub seen_offer_seq: u64,
    /// What it holds.
    pub held: Vec<Held>,
    /// Its load.
    pub load: Load,
    /// Slots that a process which cannot be ended takes, in thousandths.
    pub blocked_milli: u64,
    /// Its owner paused it.
    pub paused: bool,
}

/// What a running task says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Thousandths of the whole, 0 to 1000, when known.
    pub permille: Option<u16>,
    /// What it is doing.
    pub message: Box<str>,
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptResult {
    /// The attempt.
    pub lease: LeaseId,
    /// The kind of end.
    pub outcome: Outcome,
    /// Exit code, when the process exited.
    pub exit_code: Option<i32>,
    /// A sentence for people; empty when it succeeded.
    pub message: Box<str>,
    /// Milliseconds it ran.
    pub run_ms: u64,
    /// Result, outputs, error and short output, as kept for clients; opaque here.
    pub payload: Bytes,
}
