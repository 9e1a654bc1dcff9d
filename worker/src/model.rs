//! The worker's own view of attempts: what to run, how it ended. Free of wire types, so that `state` and `executor`
//! know nothing of gRPC.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::Outcome;

/// What an attempt takes from the worker's pools while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Thousandths of a slot.
    pub slots_milli: u32,
    /// Thousandths of a processor core.
    pub cpu_milli: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whole graphics processors.
    pub gpus: u32,
    /// Custom pools by name, in whole units.
    pub custom: BTreeMap<String, u64>,
}

/// A file handed to a task; `name` is checked: no directories, not empty, not `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Name below the input directory.
    pub name: String,
    /// Content.
    pub content: Bytes,
}

/// A task as its worker needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The task.
    pub task_id: TaskId,
    /// The skill to run; empty when `command` says what to run.
    pub skill: String,
    /// Program and arguments without a shell; empty when `skill` says what to run.
    pub command: Vec<String>,
    /// A JSON object as text.
    pub parameters: String,
    /// Files to put into the input directory.
    pub inputs: Vec<InputFile>,
    /// Extra environment variables.
    pub env: BTreeMap<String, String>,
    /// Longest run, not counting time asleep.
    pub timeout: Option<Duration>,
    /// Longest time without progress.
    pub progress_timeout: Option<Duration>,
    /// Keep the machine awake meanwhile.
    pub keep_awake: bool,
    /// What it takes while it runs.
    pub demand: Demand,
}

/// One attempt to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The attempt.
    pub lease: LeaseId,
    /// Its number, from 1.
    pub attempt: u32,
    /// The task.
    pub spec: Spec,
}

/// A file that a task left; `name` is relative to the output directory, with forward slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Relative path.
    pub name: String,
    /// Content.
    pub content: Bytes,
}

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output, at most 32 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Which stream.
    pub stream: Stream,
    /// Where it begins in the stream.
    pub offset: u64,
    /// The bytes as printed.
    pub data: Bytes,
}

/// How an attempt went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code.
    pub code: ReasonCode,
    /// A sentence with the cause.
    pub message: String,
    /// Exit code, when the process exited.
    pub exit_code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// Last lines of standard error, at most 4 KiB, lossy UTF-8.
    pub stderr_tail: String,
}

/// How an attempt ended. The process tree is verified gone when this exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The kind of end.
    pub outcome: Outcome,
    /// JSON text, when it succeeded; empty otherwise.
    pub result: String,
    /// Files it left.
    pub outputs: Vec<OutputFile>,
    /// How it failed, unless it succeeded.
    pub failure: Option<Failure>,
    /// Milliseconds from start to end, without time asleep.
    pub run_ms: u64,
    /// All of its output, when that is at most 4 KiB together; empty otherwise.
    pub output: Vec<LogChunk>,
    /// Bytes printed to standard output.
    pub stdout_bytes: u64,
    /// Bytes printed to standard error.
    pub stderr_bytes: u64,
}

impl Ended {
    /// The end of an attempt of which nothing ever ran, and why.
    pub fn not_started(why: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::SpawnFailed,
            result: String::new(),
            outputs: Vec::new(),
            failure: Some(Failure {
                code: ReasonCode::Spawn,
                message: why.into(),
                exit_code: None,
                signal: None,
                stderr_tail: String::new(),
            }),
            run_ms: 0,
            output: Vec::new(),
            stdout_bytes: 0,
            stderr_bytes: 0,
        }
    }
}
