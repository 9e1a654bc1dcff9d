//! What clients see: tasks, nodes, skills and reasons as wire messages. The HTTP face's JSON is made from these too.

use std::collections::BTreeMap;

use openclaw_common::code::ReasonCode;
use openclaw_common::status::{NodeStatus, TaskStatus};
use openclaw_common::time::{Now, Wall};
use openclaw_core::effect::{Notice, TaskState};
use openclaw_core::model::{Facts, Load, Skill};
use openclaw_core::record::{FinalRow, PastAttempt, SubmitRow};
use openclaw_core::view::{Explanation, LiveTask, NodeView, View};
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

fn duration(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default(),
    }
}

fn reason(code: ReasonCode, detail: impl Into<String>) -> v1::Reason {
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

/// Why a task stands where it stands, node by node.
pub fn explanation(explained: &Explanation, now: Now) -> v1::ExplainTaskResponse {
    let nodes = explained.nodes.iter().map(|verdict| v1::NodeVerdict {
        node_id: verdict.node.to_string(),
        eligible: verdict.reasons.is_empty(),
        reasons: verdict
            .reasons
            .iter()
            .map(|(code, detail)| reason(*code, detail.as_str()))
            .collect(),
    });
    v1::ExplainTaskResponse {
        state: Some(state_proto(&explained.state)),
        since: Some(duration(now.wall.since(explained.since))),
        needs: explained.needs.clone(),
        nodes: nodes.collect(),
    }
}

/// A node.
#[expect(clippy::cast_precision_loss, reason = "a mean in seconds for people")]
pub fn node_proto(node: &NodeView) -> v1::Node {
    let mean_ms = if node.succeeded == 0 {
        0.0
    } else {
        node.run_ms as f64 / node.succeeded as f64
    };
    v1::Node {
        node_id: node.name.to_string(),
        facts: Some(facts_proto(&node.facts)),
        status: words::node_status(node.status).into(),
        flags: node.flags.keys().map(|flag| (*flag).to_owned()).collect(),
        skills: skills_of(node).collect(),
        tags: node
            .inventory
            .tags
            .iter()
            .map(ToString::to_string)
            .collect(),
        max_concurrent_tasks: whole_slots(node.inventory.pools.slots_milli),
        running_tasks: node.running,
        load: Some(load_proto(node.load)),
        total_tasks_processed: node.succeeded.saturating_add(node.failed),
        successful_tasks: node.succeeded,
        failed_tasks: node.failed,
        average_execution_time: mean_ms / 1_000.0,
        registered_at: Some(timestamp(node.registered)),
        last_heartbeat: Some(timestamp(node.last_seen)),
        version: node.build.to_string(),
        protocol: node.protocol,
    }
}

fn whole_slots(milli: u64) -> u32 {
    u32::try_from(milli / 1_000).unwrap_or(u32::MAX)
}

fn facts_proto(facts: &Facts) -> v1::NodeFacts {
    v1::NodeFacts {
        hostname: facts.hostname.to_string(),
        platform: facts.platform.to_string(),
        arch: facts.arch.to_string(),
        ip_address: facts.ip_address.to_string(),
        tailscale_ip: facts.tailscale_ip.to_string(),
        port: u32::from(facts.port),
        cpus: facts.cpus,
        memory_bytes: facts.memory_bytes,
        gpus: facts.gpus,
    }
}

fn load_proto(load: Load) -> v1::NodeLoad {
    let percent = |milli: u16| f32::from(milli) / 10.0;
    v1::NodeLoad {
        cpu_usage: percent(load.cpu_milli),
        memory_usage: percent(load.memory_milli),
        disk_usage: percent(load.disk_milli),
    }
}

/// A skill as a node advertises it.
pub fn skill_proto(skill: &Skill) -> v1::Skill {
    let texts = |list: &[Box<str>]| list.iter().map(ToString::to_string).collect();
    v1::Skill {
        name: skill.name.to_string(),
        version: skill.version.to_string(),
        category: skill.category.to_string(),
        description: skill.description.to_string(),
        tags: texts(&skill.tags),
        content_hash: skill.content_hash.to_string(),
        executor: words::executor(skill.executor).into(),
        input_schema: skill.input_schema.to_string(),
        output_schema: skill.output_schema.to_string(),
        dependencies: texts(&skill.dependencies),
        eligible: skill.eligible,
        reasons: texts(&skill.reasons),
        costs_money: skill.costs_money,
    }
}

/// A node's skills; those that could not be started there are shown as such.
fn skills_of(node: &NodeView) -> impl Iterator<Item = v1::Skill> + '_ {
    node.inventory.skills.values().map(|skill| {
        let mut shown = skill_proto(skill);
        if let Some(broken) = node.broken_skills.get(&skill.name) {
            shown.eligible = false;
            shown.reasons.push(broken.clone());
        }
        shown
    })
}

/// All skills of all nodes, by name.
pub fn cluster_skills(view: &View) -> Vec<v1::ClusterSkill> {
    let mut skills: BTreeMap<String, v1::ClusterSkill> = BTreeMap::new();
    for node in &view.nodes {
        for skill in skills_of(node) {
            add_skill(skills.entry(skill.name.clone()).or_default(), node, skill);
        }
    }
    skills.into_values().collect()
}

fn add_skill(entry: &mut v1::ClusterSkill, node: &NodeView, skill: v1::Skill) {
    let name = node.name.to_string();
    if skill.eligible {
        entry.eligible_nodes.push(name);
    } else {
        let reasons = skill.reasons.iter();
        entry.ineligible_nodes.push(v1::NodeVerdict {
            node_id: name,
            eligible: false,
            reasons: reasons
                .map(|why| reason(ReasonCode::SkillIneligible, why.as_str()))
                .collect(),
        });
    }
    if entry
        .skill
        .as_ref()
        .is_none_or(|shown| skill.eligible && !shown.eligible)
    {
        entry.skill = Some(skill);
    }
}

/// The cluster's counts: nodes by state, and slots in all and taken of connected nodes.
pub fn node_counts(view: &View) -> (BTreeMap<&'static str, u32>, u32, u32) {
    let mut by_status: BTreeMap<&'static str, u32> = BTreeMap::new();
    let (mut total, mut used) = (0_u64, 0_u64);
    for node in &view.nodes {
        *by_status.entry(node.status.as_str()).or_default() += 1;
        if node.status != NodeStatus::Offline {
            total = total.saturating_add(node.inventory.pools.slots_milli);
            used = used.saturating_add(node.used_milli);
        }
    }
    (by_status, whole_slots(total), whole_slots(used))
}
