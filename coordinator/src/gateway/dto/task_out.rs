//! A task from the wire as JSON: the fields that clients know, and those beside them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openclaw_proto::v1;
use openclaw_proto::v1::output_file::Content;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::scalar::{seconds_of, stamp_of};
use super::words;

/// A task. Fields that do not apply are `null`; those that lists leave out are absent there.
#[derive(Debug, Serialize)]
pub(crate) struct TaskOut {
    task_id: String,
    task_type: Option<String>,
    name: String,
    description: String,
    skill: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    required_skills: Vec<String>,
    optional_skills: Vec<String>,
    status: Option<String>,
    reason: Option<ReasonOut>,
    priority: Option<String>,
    assigned_node: Option<String>,
    attempt: u32,
    submitted_at: Option<String>,
    scheduled_at: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    next_attempt_at: Option<String>,
    not_before: Option<String>,
    timeout: Option<f64>,
    queue_timeout: Option<f64>,
    progress_timeout: Option<f64>,
    run_time: Option<f64>,
    ttl: Option<f64>,
    retry_count: u32,
    max_retries: Option<u32>,
    infra_losses: u32,
    retry: Option<RetryOut>,
    on_lost: Option<String>,
    on_sleep: Option<String>,
    keep_awake: bool,
    user_id: String,
    idempotency_key: Option<String>,
    batch_id: Option<String>,
    parent: Option<String>,
    retry_of: Option<String>,
    required_tags: Vec<String>,
    affinity_tags: Vec<String>,
    node: Option<String>,
    strategy: Option<String>,
    resources: Option<ResourcesOut>,
    cancel_requested: bool,
    progress: Option<ProgressOut>,
    error: Option<ErrorOut>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
}

/// What only the answer about a single task holds.
#[derive(Debug, Serialize)]
struct Whole {
    parameters: Option<Box<RawValue>>,
    metadata: Option<Box<RawValue>>,
    env: BTreeMap<String, String>,
    inputs: Vec<InputOut>,
    result: Option<Box<RawValue>>,
    outputs: Vec<OutputOut>,
    timeline: Vec<StepOut>,
}

#[derive(Debug, Clone, Serialize)]
struct ReasonOut {
    code: String,
    detail: String,
}

#[derive(Debug, Serialize)]
struct RetryOut {
    backoff: Option<f64>,
    cap: Option<f64>,
    retry_on: Vec<String>,
    no_retry_on: Vec<i32>,
}

#[derive(Debug, Serialize)]
struct ResourcesOut {
    cpu_milli: u32,
    memory_bytes: u64,
    gpus: u32,
    custom: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct ProgressOut {
    percent: Option<f64>,
    message: String,
}

#[derive(Debug, Serialize)]
struct ErrorOut {
    code: String,
    message: String,
    exit_code: Option<i32>,
    signal: Option<i32>,
    stderr_tail: String,
}

#[derive(Debug, Serialize)]
struct InputOut {
    name: String,
}

#[derive(Debug, Serialize)]
struct OutputOut {
    name: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

#[derive(Debug, Serialize)]
struct StepOut {
    at: Option<String>,
    status: Option<String>,
    reason: Option<ReasonOut>,
    attempt: u32,
    node: Option<String>,
}

/// Where a task stands, in short.
#[derive(Debug, Serialize)]
pub(crate) struct StateOut {
    task_id: String,
    status: Option<String>,
    reason: Option<ReasonOut>,
    attempt: u32,
    assigned_node: Option<String>,
}

/// What came of a task.
#[derive(Debug, Serialize)]
pub(crate) struct ResultOut {
    task_id: String,
    status: Option<String>,
    reason: Option<ReasonOut>,
    attempt: u32,
    assigned_node: Option<String>,
    completed_at: Option<String>,
    run_time: Option<f64>,
    result: Option<Box<RawValue>>,
    error: Option<ErrorOut>,
    outputs: Vec<OutputOut>,
}

impl TaskOut {
    /// A single task with everything that is kept of it.
    pub(crate) fn whole(mut task: v1::Task) -> Self {
        let spec = task.spec.get_or_insert_default();
        let whole = Whole {
            parameters: object(&spec.parameters),
            metadata: object(&spec.metadata),
            env: std::mem::take(&mut spec.env).into_iter().collect(),
            inputs: spec
                .inputs
                .drain(..)
                .map(|input| InputOut { name: input.name })
                .collect(),
            result: json(&task.result),
            outputs: task.outputs.drain(..).map(OutputOut::from).collect(),
            timeline: task.timeline.drain(..).map(StepOut::from).collect(),
        };
        Self {
            whole: Some(whole),
            ..Self::brief(task)
        }
    }

    /// A task as lists show it.
    pub(crate) fn brief(task: v1::Task) -> Self {
        let spec = task.spec.unwrap_or_default();
        Self {
            task_id: spec.task_id,
            task_type: words::task_type(spec.task_type),
            name: spec.name,
            description: spec.description,
            skill: filled(spec.skill),
            command: spec.command,
            required_skills: spec.required_skills,
            optional_skills: spec.optional_skills,
            status: words::task_status(task.status),
            reason: task.reason.map(ReasonOut::from),
            priority: words::priority(spec.priority),
            assigned_node: filled(task.assigned_node),
            attempt: task.attempt,
            submitted_at: stamp_of(task.submitted_at.as_ref()),
            scheduled_at: stamp_of(task.scheduled_at.as_ref()),
            started_at: stamp_of(task.started_at.as_ref()),
            completed_at: stamp_of(task.completed_at.as_ref()),
            next_attempt_at: stamp_of(task.next_attempt_at.as_ref()),
            not_before: stamp_of(spec.not_before.as_ref()),
            timeout: seconds_of(spec.timeout.as_ref()),
            queue_timeout: seconds_of(spec.queue_timeout.as_ref()),
            progress_timeout: seconds_of(spec.progress_timeout.as_ref()),
            run_time: seconds_of(task.run_time.as_ref()),
            ttl: seconds_of(spec.ttl.as_ref()),
            retry_count: task.retry_count,
            max_retries: spec.max_retries,
            infra_losses: task.infra_losses,
            retry: spec.retry.map(RetryOut::from),
            on_lost: words::on_lost(spec.on_lost),
            on_sleep: words::on_sleep(spec.on_sleep),
            keep_awake: spec.keep_awake,
            user_id: spec.user_id,
            idempotency_key: filled(spec.idempotency_key),
            batch_id: filled(spec.batch_id),
            parent: filled(spec.parent),
            retry_of: filled(spec.retry_of),
            required_tags: spec.required_tags,
            affinity_tags: spec.affinity_tags,
            node: filled(spec.node),
            strategy: words::strategy(spec.strategy),
            resources: spec.resources.map(ResourcesOut::from),
            cancel_requested: task.cancel_requested,
            progress: task.progress.map(ProgressOut::from),
            error: task.error.map(ErrorOut::from),
            whole: None,
        }
    }
}

impl From<v1::TaskState> for StateOut {
    fn from(state: v1::TaskState) -> Self {
        Self {
            task_id: state.task_id,
            status: words::task_status(state.status),
            reason: state.reason.map(ReasonOut::from),
            attempt: state.attempt,
            assigned_node: filled(state.assigned_node),
        }
    }
}

impl From<v1::Task> for StateOut {
    fn from(task: v1::Task) -> Self {
        Self {
            task_id: task.spec.unwrap_or_default().task_id,
            status: words::task_status(task.status),
            reason: task.reason.map(ReasonOut::from),
            attempt: task.attempt,
            assigned_node: filled(task.assigned_node),
        }
    }
}

impl From<v1::Task> for ResultOut {
    fn from(task: v1::Task) -> Self {
        Self {
            task_id: task.spec.unwrap_or_default().task_id,
            status: words::task_status(task.status),
            reason: task.reason.map(ReasonOut::from),
            attempt: task.attempt,
            assigned_node: filled(task.assigned_node),
            completed_at: stamp_of(task.completed_at.as_ref()),
            run_time: seconds_of(task.run_time.as_ref()),
            result: json(&task.result),
            error: task.error.map(ErrorOut::from),
            outputs: task.outputs.into_iter().map(OutputOut::from).collect(),
        }
    }
}

impl From<v1::Reason> for ReasonOut {
    fn from(reason: v1::Reason) -> Self {
        Self {
            code: reason.code,
            detail: reason.detail,
        }
    }
}

impl From<v1::RetryPolicy> for RetryOut {
    fn from(retry: v1::RetryPolicy) -> Self {
        Self {
            backoff: seconds_of(retry.backoff.as_ref()),
            cap: seconds_of(retry.cap.as_ref()),
            retry_on: retry
                .retry_on
                .into_iter()
                .filter_map(words::retry_on)
                .collect(),
            no_retry_on: retry.no_retry_on,
        }
    }
}

impl From<v1::Resources> for ResourcesOut {
    fn from(resources: v1::Resources) -> Self {
        Self {
            cpu_milli: resources.cpu_milli,
            memory_bytes: resources.memory_bytes,
            gpus: resources.gpus,
            custom: resources.custom.into_iter().collect(),
        }
    }
}

impl From<v1::Progress> for ProgressOut {
    fn from(progress: v1::Progress) -> Self {
        Self {
            percent: progress.percent,
            message: progress.message,
        }
    }
}

impl From<v1::TaskError> for ErrorOut {
    fn from(error: v1::TaskError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            exit_code: error.exit_code,
            signal: error.signal,
            stderr_tail: error.stderr_tail,
        }
    }
}

impl From<v1::OutputFile> for OutputOut {
    fn from(file: v1::OutputFile) -> Self {
        let content = file
            .content
            .map(|Content::Inline(bytes)| STANDARD.encode(bytes));
        Self {
            name: file.name,
            size: file.size,
            content_base64: content,
        }
    }
}

impl From<v1::Transition> for StepOut {
    fn from(step: v1::Transition) -> Self {
        Self {
            at: stamp_of(step.at.as_ref()),
            status: words::task_status(step.status),
            reason: step.reason.map(ReasonOut::from),
            attempt: step.attempt,
            node: filled(step.node),
        }
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// JSON that is kept as text, as JSON again. What is no JSON after all is shown as text.
pub(super) fn json(text: &str) -> Option<Box<RawValue>> {
    if text.is_empty() {
        return None;
    }
    RawValue::from_string(text.to_owned())
        .or_else(|_| to_raw_value(text))
        .ok()
}

/// An object that was left out is empty.
fn object(text: &str) -> Option<Box<RawValue>> {
    json(if text.is_empty() { "{}" } else { text })
}
