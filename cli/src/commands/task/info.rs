//! `task info`.

use openclaw_proto::v1;
use serde_json::Value;

use crate::commands::deliver::{failure_lines, headline};
use crate::commands::select;
use crate::commands::session::Session;
use crate::commands::tasks_report::what;
use crate::dto::{self, TaskDto, TransitionDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(crate) async fn info(session: &Session, text: &str) -> Result<Exit, Failure> {
    let id = select::task_id(session, text).await?;
    let task = session.client.task(&id, false).await?;
    session.printer.report(&TaskReport { task })?;
    Ok(Exit::Ok)
}

struct TaskReport {
    task: v1::Task,
}

impl Report for TaskReport {
    fn json(&self) -> Value {
        output::json_value(&TaskDto::from(&self.task))
    }

    fn ids(&self) -> Vec<String> {
        vec![
            self.task
                .spec
                .as_ref()
                .map(|spec| spec.task_id.clone())
                .unwrap_or_default(),
        ]
    }

    fn text(&self, look: Look) -> String {
        let dto = TaskDto::from(&self.task);
        let mut lines = head(&self.task, &dto);
        lines.extend(facts(&dto));
        if !dto.timeline.is_empty() {
            lines.push("timeline".to_owned());
            lines.extend(dto.timeline.iter().map(step));
        }
        if !dto.outputs.is_empty() {
            lines.push(format!(
                "outputs  (openclaw-cluster task wait {} fetches them)",
                dto.task_id
            ));
            lines.extend(
                dto.outputs
                    .iter()
                    .map(|file| format!("  {}  ({})", file.name, output::bytes(file.size))),
            );
        }
        if !dto.result.is_null() {
            lines.push("result".to_owned());
            lines.extend(
                format!("{:#}", dto.result)
                    .lines()
                    .map(|line| format!("  {line}")),
            );
        }
        let age = dto::since(self.task.submitted_at, look.now)
            .map(output::age)
            .unwrap_or_default();
        lines.insert(
            1,
            format!(
                "  submitted {age} ago by {}",
                if dto.user_id.is_empty() {
                    "unknown"
                } else {
                    &dto.user_id
                }
            ),
        );
        lines.join("\n") + "\n"
    }
}

/// Where it stands, and why.
fn head(task: &v1::Task, dto: &TaskDto) -> Vec<String> {
    if dto.error.is_some() {
        let mut lines = failure_lines(task, dto);
        if dto.attempt > 0 {
            lines.push(format!("more:  openclaw-cluster task logs {}", dto.task_id));
        }
        return lines;
    }
    let mut lines = vec![headline(task, dto)];
    let told = dto
        .reason
        .as_ref()
        .filter(|reason| !reason.detail.is_empty());
    lines.extend(told.map(|reason| format!("  {}: {}", reason.code, reason.detail)));
    if let Some(progress) = &dto.progress {
        let percent = progress
            .percent
            .map(|percent| format!("{percent:.0}% "))
            .unwrap_or_default();
        lines.push(format!("  progress: {percent}{}", progress.message));
    }
    lines
}

/// What was asked for, one line each, nothing that was left at its default.
fn facts(dto: &TaskDto) -> Vec<String> {
    let mut all = vec![(
        if dto.skill.is_some() {
            "skill"
        } else {
            "command"
        },
        what(dto),
    )];
    let mut add = |label, value: Option<String>| all.extend(value.map(|value| (label, value)));
    let listed = |items: &[String]| Some(items.join(" ")).filter(|text| !text.is_empty());
    let span =
        |number: &Option<serde_json::Number>| number.as_ref().map(|seconds| format!("{seconds} s"));
    add("name", filled(&dto.name));
    add("description", filled(&dto.description));
    add(
        "kind",
        (dto.task_type != "batch").then(|| dto.task_type.to_owned()),
    );
    add(
        "priority",
        (dto.priority != "normal").then(|| dto.priority.to_owned()),
    );
    add("node", dto.node.clone());
    add("tags", listed(&dto.required_tags));
    add("prefers", listed(&dto.affinity_tags));
    add("strategy", dto.strategy.map(str::to_owned));
    add("timeout", span(&dto.timeout));
    add("queue timeout", span(&dto.queue_timeout));
    add("retries", Some(retries(dto)));
    add("next attempt", dto.next_attempt_at.clone());
    add("not before", dto.not_before.clone());
    add(
        "parameters",
        Some(&dto.parameters)
            .filter(|value| !value.is_null())
            .map(Value::to_string),
    );
    add("key", dto.idempotency_key.clone());
    add("batch", dto.batch_id.clone());
    add("parent", dto.parent.clone());
    add("retry of", dto.retry_of.clone());
    all.into_iter()
        .map(|(label, value)| format!("{label:<14}{value}"))
        .collect()
}

fn filled(text: &str) -> Option<String> {
    Some(text)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn retries(dto: &TaskDto) -> String {
    let allowed = dto
        .max_retries
        .map_or_else(|| "the default".to_owned(), |most| most.to_string());
    let lost = if dto.infra_losses > 0 {
        format!(", {} lost with their node", dto.infra_losses)
    } else {
        String::new()
    };
    format!(
        "{} of {allowed} used, attempt {}{lost}",
        dto.retry_count, dto.attempt
    )
}

/// `2026-05-01T09:00:00Z  running    on macbook (attempt 1)  RUNNING: …`
fn step(step: &TransitionDto) -> String {
    let node = step
        .node
        .as_ref()
        .map(|node| format!(" on {node}"))
        .unwrap_or_default();
    let attempt = if step.attempt > 0 {
        format!(" (attempt {})", step.attempt)
    } else {
        String::new()
    };
    let why = match &step.reason {
        Some(reason) if reason.detail.is_empty() => format!("  {}", reason.code),
        Some(reason) => format!("  {}: {}", reason.code, reason.detail),
        None => String::new(),
    };
    format!(
        "  {:<24}  {}{node}{attempt}{why}",
        step.at.as_deref().unwrap_or("-"),
        output::word(step.status)
    )
}
