//! A list of tasks in every format.

use openclaw_proto::v1;
use serde_json::Value;

use super::deliver::run_time;
use crate::dto::{self, TaskDto};
use crate::output::{self, Align, Look, Report, Table};

/// Longest text in a column of its own.
const CELL: usize = 60;

/// Tasks as `task list`, `ps` and `task wait` show them.
pub(super) struct TasksReport {
    pub(super) tasks: Vec<v1::Task>,
    /// What to say when there are none.
    pub(super) empty: &'static str,
}

impl Report for TasksReport {
    fn json(&self) -> Value {
        Value::Array(self.items().unwrap_or_default())
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(
            self.tasks
                .iter()
                .map(|task| output::json_value(&TaskDto::from(task)))
                .collect(),
        )
    }

    fn ids(&self) -> Vec<String> {
        self.tasks
            .iter()
            .filter_map(|task| Some(task.spec.as_ref()?.task_id.clone()))
            .collect()
    }

    fn text(&self, look: Look) -> String {
        if self.tasks.is_empty() {
            return format!("{}\n", self.empty);
        }
        let mut header = vec![
            ("TASK", Align::Left),
            ("STATUS", Align::Left),
            ("WHAT", Align::Left),
            ("NODE", Align::Left),
            ("AGE", Align::Right),
            ("RAN", Align::Right),
        ];
        if look.wide {
            header.extend([
                ("TRY", Align::Right),
                ("PRIORITY", Align::Left),
                ("USER", Align::Left),
                ("NAME", Align::Left),
            ]);
        }
        header.push(("WHY", Align::Left));
        let mut table = Table::new(header);
        for task in &self.tasks {
            table.row(row(task, look));
        }
        table.render(look.width)
    }
}

fn row(task: &v1::Task, look: Look) -> Vec<String> {
    let dto = TaskDto::from(task);
    let mut cells = vec![
        dto.task_id.clone(),
        dto.status.to_owned(),
        output::one_line(&what(&dto), 32),
        dto.assigned_node.clone().unwrap_or_else(|| "-".to_owned()),
        dto::since(task.submitted_at, look.now)
            .map(output::age)
            .unwrap_or_default(),
        ran(task, look),
    ];
    if look.wide {
        let name = dto.name.clone();
        cells.extend([
            dto.attempt.to_string(),
            dto.priority.to_owned(),
            dto.user_id.clone(),
            name,
        ]);
    }
    cells.push(output::one_line(
        &why(&dto),
        if look.wide { 2 * CELL } else { CELL },
    ));
    cells
}

/// The skill, or the command with its arguments.
pub(super) fn what(dto: &TaskDto) -> String {
    dto.skill.clone().unwrap_or_else(|| dto.command.join(" "))
}

fn ran(task: &v1::Task, look: Look) -> String {
    let running = || {
        dto::since(task.started_at, look.now).filter(|_| task.status() == v1::TaskStatus::Running)
    };
    run_time(task)
        .or_else(running)
        .map_or_else(|| "-".to_owned(), output::took)
}

/// What is worth saying about its state: nothing while all is well.
fn why(dto: &TaskDto) -> String {
    if let Some(error) = &dto.error {
        return format!("{}: {}", error.code, error.message);
    }
    if let Some(progress) = dto.progress.as_ref().filter(|_| dto.status == "running") {
        let percent = progress
            .percent
            .map(|percent| format!("{percent:.0}% "))
            .unwrap_or_default();
        return format!("{percent}{}", progress.message);
    }
    let worth = |code: &str| !matches!(code, "OK" | "RUNNING" | "OFFERED" | "CANCELLED");
    dto.reason
        .as_ref()
        .filter(|reason| worth(&reason.code))
        .map(|reason| reason.detail.clone())
        .unwrap_or_default()
}
