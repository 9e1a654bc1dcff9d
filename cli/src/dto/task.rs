//! A task, its state, its files, and why it waits.

use std::collections::BTreeMap;

use openclaw_common::status::{OnLost, RetryOn, Strategy, TaskStatus};
use openclaw_proto::v1;
use serde::Serialize;
use serde_json::{Number, Value};

use super::values::{json, non_empty, seconds, timestamp};
use super::words;
use crate::failure::Failure;

/// A task with the field names of the HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskDto {
    /// `task_` and a ULID.
    pub task_id: String,
    /// What kind of work.
    pub task_type: &'static str,
    /// A name for people; may be empty.
    pub name: String,
    /// Free text; may be empty.
    pub description: String,
    /// The skill that is run.
    pub skill: Option<String>,
    /// The program that is run instead of a skill.
    pub command: Vec<String>,
    /// Skills that the node must have.
    pub required_skills: Vec<String>,
    /// Skills that are good to have.
    pub optional_skills: Vec<String>,
    /// One of the seven states, or `unknown` for one of a later version.
    pub status: &'static str,
    /// Why it is in that state.
    pub reason: Option<ReasonDto>,
    /// Its priority.
    pub priority: &'static str,
    /// The node of the latest attempt.
    pub assigned_node: Option<String>,
    /// Number of the latest attempt; 0 before the first.
    pub attempt: u32,
    /// When it was accepted.
    pub submitted_at: Option<String>,
    /// When the latest attempt was offered.
    pub scheduled_at: Option<String>,
    /// When the latest attempt started.
    pub started_at: Option<String>,
    /// When it became final.
    pub completed_at: Option<String>,
    /// Earliest next attempt, while it backs off.
    pub next_attempt_at: Option<String>,
    /// Earliest start.
    pub not_before: Option<String>,
    /// Seconds that the last attempt ran.
    pub run_time: Option<Number>,
    /// What the skill was given. Null in lists.
    pub parameters: Value,
    /// Longest time of an attempt in seconds.
    pub timeout: Option<Number>,
    /// Longest wait for the first start in seconds.
    pub queue_timeout: Option<Number>,
    /// Longest time without progress in seconds.
    pub progress_timeout: Option<Number>,
    /// Retries used.
    pub retry_count: u32,
    /// Retries allowed; null for the default.
    pub max_retries: Option<u32>,
    /// How failures are retried; null for the default.
    pub retry: Option<RetryDto>,
    /// What happens when its node is lost; null for the default.
    pub on_lost: Option<&'static str>,
    /// What happens when its node sleeps.
    pub on_sleep: &'static str,
    /// Whether its node is kept awake for it.
    pub keep_awake: bool,
    /// Seconds that the final record is kept; null for the default.
    pub ttl: Option<Number>,
    /// Attempts lost with their node.
    pub infra_losses: u32,
    /// Whose task it is.
    pub user_id: String,
    /// Tags that the node must have.
    pub required_tags: Vec<String>,
    /// Tags that are good to have.
    pub affinity_tags: Vec<String>,
    /// The one node that may run it.
    pub node: Option<String>,
    /// How a node is chosen; null for the cluster's strategy.
    pub strategy: Option<&'static str>,
    /// What it takes from a node.
    pub resources: Option<ResourcesDto>,
    /// Names of the files that were sent along. Empty in lists.
    pub inputs: Vec<InputDto>,
    /// Extra environment.
    pub env: BTreeMap<String, String>,
    /// Its idempotency key.
    pub idempotency_key: Option<String>,
    /// Its batch.
    pub batch_id: Option<String>,
    /// The task inside which it was submitted.
    pub parent: Option<String>,
    /// The task of which it is a new try.
    pub retry_of: Option<String>,
    /// Somebody asked to cancel it.
    pub cancel_requested: bool,
    /// The latest progress.
    pub progress: Option<ProgressDto>,
    /// What it produced. Null in lists and before the end.
    pub result: Value,
    /// How it failed.
    pub error: Option<ErrorDto>,
    /// Files it produced.
    pub outputs: Vec<OutputDto>,
    /// What the caller keeps with it.
    pub metadata: Value,
    /// Its life so far, oldest first. Empty in lists.
    pub timeline: Vec<TransitionDto>,
}

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

impl From<&v1::Task> for TaskDto {
    fn from(task: &v1::Task) -> Self {
        let spec = task.spec.clone().unwrap_or_default();
        Self {
            task_type: words::task_type_of(spec.task_type).as_str(),
            name: spec.name,
            description: spec.description,
            skill: non_empty(&spec.skill),
            command: spec.command,
            required_skills: spec.required_skills,
            optional_skills: spec.optional_skills,
            status: status_word(task.status),
            reason: ReasonDto::from_wire(task.reason.as_ref()),
            priority: words::priority_of(spec.priority).as_str(),
            assigned_node: non_empty(&task.assigned_node),
            attempt: task.attempt,
            submitted_at: timestamp(task.submitted_at),
            scheduled_at: timestamp(task.scheduled_at),
            started_at: timestamp(task.started_at),
            completed_at: timestamp(task.completed_at),
            next_attempt_at: timestamp(task.next_attempt_at),
            not_before: timestamp(spec.not_before),
            run_time: seconds(task.run_time),
            parameters: json(&spec.parameters),
            timeout: seconds(spec.timeout),
            queue_timeout: seconds(spec.queue_timeout),
            progress_timeout: seconds(spec.progress_timeout),
            retry_count: task.retry_count,
            max_retries: spec.max_retries,
            retry: spec.retry.as_ref().map(RetryDto::from),
            on_lost: words::on_lost_of(spec.on_lost).map(OnLost::as_str),
            on_sleep: words::on_sleep_of(spec.on_sleep).as_str(),
            keep_awake: spec.keep_awake,
            ttl: seconds(spec.ttl),
            infra_losses: task.infra_losses,
            user_id: spec.user_id,
            required_tags: spec.required_tags,
            affinity_tags: spec.affinity_tags,
            node: non_empty(&spec.node),
            strategy: words::strategy_of(spec.strategy).map(Strategy::as_str),
            resources: spec.resources.map(ResourcesDto::from),
            inputs: spec
                .inputs
                .into_iter()
                .map(|file| InputDto { name: file.name })
                .collect(),
            env: spec.env.into_iter().collect(),
            idempotency_key: non_empty(&spec.idempotency_key),
            batch_id: non_empty(&spec.batch_id),
            parent: non_empty(&spec.parent),
            retry_of: non_empty(&spec.retry_of),
            cancel_requested: task.cancel_requested,
            progress: task.progress.as_ref().map(ProgressDto::from),
            result: json(&task.result),
            error: task
                .error
                .as_ref()
                .map(|error| ErrorDto::of(error, &spec.task_id)),
            outputs: task.outputs.iter().map(OutputDto::from).collect(),
            metadata: json(&spec.metadata),
            timeline: task.timeline.iter().map(TransitionDto::from).collect(),
            task_id: spec.task_id,
        }
    }
}

impl ErrorDto {
    fn of(error: &v1::TaskError, task_id: &str) -> Self {
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
