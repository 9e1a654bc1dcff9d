//! A task.

use std::collections::BTreeMap;

use openclaw_common::status::{OnLost, Strategy};
use openclaw_proto::v1;
use serde::Serialize;
use serde_json::{Number, Value};

use super::parts::{
    ErrorDto, InputDto, OutputDto, ProgressDto, ReasonDto, ResourcesDto, RetryDto, TransitionDto,
    status_word,
};
use super::values::{json, non_empty, seconds, timestamp};
use super::words;

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
