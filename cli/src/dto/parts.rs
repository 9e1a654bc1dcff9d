//! What a task's document is made of: reasons, errors, files, steps, verdicts.

use std::collections::BTreeMap;

use openclaw_common::status::{RetryOn, TaskStatus};
use openclaw_proto::v1;
use serde::Serialize;
use serde_json::Number;

use super::values::{non_empty, seconds, timestamp};
use super::words;
use crate::failure::Failure;

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonDto {
    /// A stable code.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// How failures are retried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetryDto {
    /// First delay in seconds.
    pub backoff: Option<Number>,
    /// Longest delay in seconds.
    pub cap: Option<Number>,
    /// Kinds of failure that are retried; empty means all.
    pub retry_on: Vec<&'static str>,
    /// Exit codes that are not.
    pub no_retry_on: Vec<i32>,
}

/// What a task takes from a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourcesDto {
    /// Thousandths of a processor core.
    pub cpu_milli: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Graphics processors.
    pub gpus: u32,
    /// Further pools.
    pub custom: BTreeMap<String, u64>,
}

/// How a task failed. The same three first fields as every error of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDto {
    /// A stable code.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
    /// The exit code, when the process exited.
    pub exit_code: Option<i32>,
    /// The signal, when one ended it.
    pub signal: Option<i32>,
    /// The last lines of standard error.
    pub stderr_tail: String,
}

/// What a running task says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgressDto {
    /// 0 to 100.
    pub percent: Option<f64>,
    /// What it is doing.
    pub message: String,
}

/// A file that was sent along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputDto {
    /// Its name.
    pub name: String,
}

/// A file a task produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputDto {
    /// Its name below the output folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where this command wrote it, if it did.
    pub path: Option<String>,
}

/// One step in the life of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransitionDto {
    /// When.
    pub at: Option<String>,
    /// The state entered.
    pub status: &'static str,
    /// Why.
    pub reason: Option<ReasonDto>,
    /// The attempt; 0 before the first.
    pub attempt: u32,
    /// Where.
    pub node: Option<String>,
}

/// Where a task stands, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateDto {
    /// The task.
    pub task_id: String,
    /// Its state.
    pub status: &'static str,
    /// Why.
    pub reason: Option<ReasonDto>,
    /// The latest attempt.
    pub attempt: u32,
    /// Its node.
    pub assigned_node: Option<String>,
}

/// Why a task stands where it stands, node by node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainDto {
    /// Its state.
    #[serde(flatten)]
    pub state: StateDto,
    /// Seconds in that state.
    pub since: Option<Number>,
    /// What it needs, in words.
    pub needs: String,
    /// Every known node.
    pub nodes: Vec<VerdictDto>,
}

/// Why a task may or may not run on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictDto {
    /// The node.
    pub node_id: String,
    /// It could take the task now.
    pub eligible: bool,
    /// What holds it back.
    pub reasons: Vec<ReasonDto>,
}

/// The public word for a state of the wire.
pub(super) fn status_word(wire: i32) -> &'static str {
    words::task_status(wire).map_or("unknown", TaskStatus::as_str)
}

impl ReasonDto {
    /// Absent when the wire names no code.
    pub fn from_wire(reason: Option<&v1::Reason>) -> Option<Self> {
        let reason = reason.filter(|reason| !reason.code.is_empty())?;
        Some(Self {
            code: reason.code.clone(),
            detail: reason.detail.clone(),
        })
    }
}

impl ErrorDto {
    pub(super) fn of(error: &v1::TaskError, task_id: &str) -> Self {
        Self {
            code: error.code.clone(),
            message: error.message.clone(),
            hint: Some(format!("openclaw-cluster task logs {task_id}")),
            exit_code: error.exit_code,
            signal: error.signal,
            stderr_tail: error.stderr_tail.clone(),
        }
    }
}

impl From<&Failure> for ErrorDto {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.clone(),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            exit_code: None,
            signal: None,
            stderr_tail: String::new(),
        }
    }
}

impl From<&v1::RetryPolicy> for RetryDto {
    fn from(policy: &v1::RetryPolicy) -> Self {
        let kinds = policy
            .retry_on
            .iter()
            .filter_map(|kind| words::retry_on_of(*kind));
        Self {
            backoff: seconds(policy.backoff),
            cap: seconds(policy.cap),
            retry_on: kinds.map(RetryOn::as_str).collect(),
            no_retry_on: policy.no_retry_on.clone(),
        }
    }
}

impl From<v1::Resources> for ResourcesDto {
    fn from(resources: v1::Resources) -> Self {
        Self {
            cpu_milli: resources.cpu_milli,
            memory_bytes: resources.memory_bytes,
            gpus: resources.gpus,
            custom: resources.custom.into_iter().collect(),
        }
    }
}

impl From<&v1::Progress> for ProgressDto {
    fn from(progress: &v1::Progress) -> Self {
        Self {
            percent: progress.percent,
            message: progress.message.clone(),
        }
    }
}

impl From<&v1::OutputFile> for OutputDto {
    fn from(file: &v1::OutputFile) -> Self {
        Self {
            name: file.name.clone(),
            size: file.size,
            path: None,
        }
    }
}

impl From<&v1::Transition> for TransitionDto {
    fn from(step: &v1::Transition) -> Self {
        Self {
            at: timestamp(step.at),
            status: status_word(step.status),
            reason: ReasonDto::from_wire(step.reason.as_ref()),
            attempt: step.attempt,
            node: non_empty(&step.node),
        }
    }
}

impl From<&v1::TaskState> for StateDto {
    fn from(state: &v1::TaskState) -> Self {
        Self {
            task_id: state.task_id.clone(),
            status: status_word(state.status),
            reason: ReasonDto::from_wire(state.reason.as_ref()),
            attempt: state.attempt,
            assigned_node: non_empty(&state.assigned_node),
        }
    }
}

impl From<&v1::NodeVerdict> for VerdictDto {
    fn from(verdict: &v1::NodeVerdict) -> Self {
        Self {
            node_id: verdict.node_id.clone(),
            eligible: verdict.eligible,
            reasons: verdict
                .reasons
                .iter()
                .filter_map(|reason| ReasonDto::from_wire(Some(reason)))
                .collect(),
        }
    }
}

impl From<&v1::ExplainTaskResponse> for ExplainDto {
    fn from(explained: &v1::ExplainTaskResponse) -> Self {
        let state = explained.state.clone().unwrap_or_default();
        Self {
            state: StateDto::from(&state),
            since: seconds(explained.since),
            needs: explained.needs.clone(),
            nodes: explained.nodes.iter().map(VerdictDto::from).collect(),
        }
    }
}
