//! What clients see of tasks, as wire messages. The HTTP face's JSON is made from these too.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Wall;
use openclaw_core::effect::{Notice, TaskState};
use openclaw_core::record::{FinalRow, PastAttempt, SubmitRow};
use openclaw_core::view::LiveTask;
use openclaw_proto::v1;
use prost::Message as _;

use super::words;
use crate::task_record::{Standing, TaskRecord};

/// A moment for the wire.
pub fn timestamp(at: Wall) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(at.0 % 1_000 * 1_000_000).unwrap_or_default(),
    }
}

pub(super) fn duration(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default(),
    }
}

pub(super) fn reason(code: ReasonCode, detail: impl Into<String>) -> v1::Reason {
    v1::Reason {
        code: code.as_str().to_owned(),
        detail: detail.into(),
    }
}

/// A task with everything that is kept of it; the content of inline outputs only when asked for.
pub fn task_proto(record: &TaskRecord, with_outputs: bool) -> v1::Task {
    let mut task = standing(record, with_outputs);
    task.timeline = timeline(record);
    task
}

/// A task as lists show it: without parameters, metadata, inputs, environment, result and timeline.
pub fn task_summary(record: &TaskRecord) -> v1::Task {
    let mut task = standing(record, false);
    task.result.clear();
    task.outputs.clear();
    if let Some(spec) = task.spec.as_mut() {
        spec.parameters.clear();
        spec.metadata.clear();
        spec.inputs.clear();
        spec.env.clear();
    }
    task
}

fn standing(record: &TaskRecord, with_outputs: bool) -> v1::Task {
    let mut task = match &record.standing {
        Standing::Live(live) => live_task(live),
        Standing::Final(end) => final_task(end, with_outputs),
    };
    task.spec = Some(spec_proto(&record.submit));
    task
}

/// The specification with what it left open filled in, as it counts for this task.
fn spec_proto(submit: &SubmitRow) -> v1::TaskSpec {
    let task = &submit.task;
    let mut spec = v1::TaskSpec::decode(task.spec.clone()).unwrap_or_else(|error| {
        tracing::error!(task = %task.id, %error, "a stored specification cannot be read");
        v1::TaskSpec::default()
    });
    for input in &mut spec.inputs {
        input.content = None;
    }
    spec.task_id = task.id.to_string();
    spec.user_id = task.user.to_string();
    spec.task_type = words::task_type(task.kind).into();
    spec.priority = words::priority(task.priority).into();
    spec.max_retries = Some(task.policy.max_retries);
    spec.ttl = Some(duration(task.policy.ttl_ms));
    if spec.required_skills.is_empty() {
        spec.required_skills = task
            .requirements
            .skills
            .iter()
            .map(ToString::to_string)
            .collect();
    }
    if let Some(key) = &task.key {
        spec.idempotency_key = key.to_string();
    }
    spec
}

fn live_task(live: &LiveTask) -> v1::Task {
    v1::Task {
        status: words::task_status(live.state.status).into(),
        reason: Some(reason(live.state.code, live.state.detail.as_str())),
        attempt: live.state.attempt,
        retry_count: live.retries,
        infra_losses: live.losses,
        assigned_node: live.state.node.as_deref().unwrap_or_default().to_owned(),
        submitted_at: Some(timestamp(live.submitted)),
        scheduled_at: live.scheduled.map(timestamp),
        started_at: live.started.map(timestamp),
        next_attempt_at: live.next_attempt.map(timestamp),
        progress: live.progress.as_ref().map(|progress| v1::Progress {
            percent: progress.permille.map(|permille| f64::from(permille) / 10.0),
            message: progress.message.to_string(),
        }),
        cancel_requested: live.cancel_requested,
        ..v1::Task::default()
    }
}

fn final_task(end: &FinalRow, with_outputs: bool) -> v1::Task {
    let mut told = v1::TaskResult::decode(end.payload.clone()).unwrap_or_else(|error| {
        tracing::error!(task = %end.id, %error, "a stored result cannot be read");
        v1::TaskResult::default()
    });
    if !with_outputs {
        for output in &mut told.outputs {
            output.content = None;
        }
    }
    let last = end.attempts.last();
    let completed = end.status == TaskStatus::Completed;
    v1::Task {
        status: words::task_status(end.status).into(),
        reason: Some(reason(end.code, end.detail.as_ref())),
        attempt: last.map_or(0, |attempt| attempt.number),
        retry_count: end.retries,
        infra_losses: end.losses,
        assigned_node: last
            .map(|attempt| attempt.node.to_string())
            .unwrap_or_default(),
        submitted_at: Some(timestamp(end.submitted)),
        scheduled_at: last.map(|attempt| timestamp(attempt.offered)),
        started_at: last.and_then(|attempt| attempt.started).map(timestamp),
        completed_at: Some(timestamp(end.completed)),
        result: if completed {
            std::mem::take(&mut told.result)
        } else {
            String::new()
        },
        error: (!completed).then(|| error_of(end, told.error.take())),
        outputs: told.outputs,
        run_time: (end.run_ms > 0).then(|| duration(end.run_ms)),
        cancel_requested: end.status == TaskStatus::Cancelled,
        ..v1::Task::default()
    }
}

/// How a task failed: what its worker told, under the code that counts.
fn error_of(end: &FinalRow, told: Option<v1::TaskError>) -> v1::TaskError {
    let mut error = told.unwrap_or_default();
    end.code.as_str().clone_into(&mut error.code);
    if error.message.is_empty() {
        error.message = end.detail.to_string();
    }
    if error.exit_code.is_none() {
        error.exit_code = end.attempts.last().and_then(|attempt| attempt.exit_code);
    }
    error
}

fn timeline(record: &TaskRecord) -> Vec<v1::Transition> {
    let (submitted, attempts) = match &record.standing {
        Standing::Live(live) => (live.submitted, &live.attempts),
        Standing::Final(end) => (end.submitted, &end.attempts),
    };
    let mut steps = vec![step(submitted, TaskStatus::Pending, None, 0, "")];
    let last = attempts.len().saturating_sub(1);
    for (index, attempt) in attempts.iter().enumerate() {
        // The end of the last attempt of a final task is the end of the task.
        let ends_task = index == last && matches!(&record.standing, Standing::Final(_));
        past_steps(attempt, ends_task, &mut steps);
    }
    match &record.standing {
        Standing::Live(live) => open_steps(live, &mut steps),
        Standing::Final(end) => {
            let last = end.attempts.last();
            let why = Some(reason(end.code, end.detail.as_ref()));
            let (number, node) = last.map_or((0, ""), |attempt| (attempt.number, &attempt.node));
            steps.push(step(end.completed, end.status, why, number, node));
        }
    }
    steps
}

fn past_steps(attempt: &PastAttempt, ends_task: bool, steps: &mut Vec<v1::Transition>) {
    let (number, node) = (attempt.number, &*attempt.node);
    steps.push(step(
        attempt.offered,
        TaskStatus::Scheduled,
        None,
        number,
        node,
    ));
    if let Some(started) = attempt.started {
        steps.push(step(started, TaskStatus::Running, None, number, node));
    }
    if !ends_task {
        let why = Some(reason(attempt.code, attempt.message.as_ref()));
        steps.push(step(attempt.ended, TaskStatus::Pending, why, number, node));
    }
}

/// The attempt that is under way.
fn open_steps(live: &LiveTask, steps: &mut Vec<v1::Transition>) {
    if !matches!(
        live.state.status,
        TaskStatus::Scheduled | TaskStatus::Running
    ) {
        return;
    }
    let (number, node) = (
        live.state.attempt,
        live.state.node.as_deref().unwrap_or_default(),
    );
    if let Some(scheduled) = live.scheduled {
        steps.push(step(scheduled, TaskStatus::Scheduled, None, number, node));
    }
    if let Some(started) = live
        .started
        .filter(|_| live.state.status == TaskStatus::Running)
    {
        steps.push(step(started, TaskStatus::Running, None, number, node));
    }
}

fn step(
    at: Wall,
    status: TaskStatus,
    why: Option<v1::Reason>,
    attempt: u32,
    node: &str,
) -> v1::Transition {
    v1::Transition {
        at: Some(timestamp(at)),
        status: words::task_status(status).into(),
        reason: why,
        attempt,
        node: node.to_owned(),
    }
}

/// Where a task stands, in short.
pub fn state_proto(state: &TaskState) -> v1::TaskState {
    v1::TaskState {
        task_id: state.id.to_string(),
        status: words::task_status(state.status).into(),
        reason: Some(reason(state.code, state.detail.as_str())),
        attempt: state.attempt,
        assigned_node: state.node.as_deref().unwrap_or_default().to_owned(),
    }
}

/// A change of a task, in short.
pub fn notice_state(notice: &Notice) -> v1::TaskState {
    v1::TaskState {
        task_id: notice.task.to_string(),
        status: words::task_status(notice.status).into(),
        reason: Some(reason(notice.code, "")),
        attempt: notice.attempt,
        assigned_node: notice.node.as_deref().unwrap_or_default().to_owned(),
    }
}
