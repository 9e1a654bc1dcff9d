//! `task cancel`.

use openclaw_proto::v1;
use serde_json::Value;

use crate::args::CancelArgs;
use crate::commands::select;
use crate::commands::session::Session;
use crate::dto::{self, StateDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(crate) async fn cancel(session: &Session, args: CancelArgs) -> Result<Exit, Failure> {
    let ids = select::task_ids(session, &args.tasks).await?;
    let mut states = Vec::new();
    for task_id in ids {
        let request = v1::CancelTaskRequest {
            task_id,
            reason: args.reason.clone(),
        };
        let answer = session.client.cancel_task(request).await?;
        states.push(answer.state.unwrap_or_default());
    }
    session.printer.report(&Cancelled { states })?;
    Ok(Exit::Ok)
}

struct Cancelled {
    states: Vec<v1::TaskState>,
}

impl Report for Cancelled {
    fn json(&self) -> Value {
        match self.states.as_slice() {
            [one] => output::json_value(&StateDto::from(one)),
            _ => Value::Array(self.items().unwrap_or_default()),
        }
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(
            self.states
                .iter()
                .map(|state| output::json_value(&StateDto::from(state)))
                .collect(),
        )
    }

    fn ids(&self) -> Vec<String> {
        self.states
            .iter()
            .map(|state| state.task_id.clone())
            .collect()
    }

    fn text(&self, _look: Look) -> String {
        self.states.iter().map(|state| line(state) + "\n").collect()
    }
}

fn line(state: &v1::TaskState) -> String {
    let dto = StateDto::from(state);
    let word = output::word(dto.status);
    let is_final =
        dto::task_status(state.status).is_some_and(openclaw_common::status::TaskStatus::is_final);
    match (dto.status, is_final) {
        ("cancelled", _) => format!("{} {word}", dto.task_id),
        (_, true) => format!("{} had ended before: {word}", dto.task_id),
        _ => {
            let node = dto
                .assigned_node
                .map(|node| format!(" on {node}"))
                .unwrap_or_default();
            format!(
                "{id} is being ended{node}; see it end: openclaw-cluster task wait {id}",
                id = dto.task_id
            )
        }
    }
}
