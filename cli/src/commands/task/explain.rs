//! `task explain`.

use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;
use serde_json::Value;

use crate::commands::select;
use crate::commands::session::Session;
use crate::dto::{self, ExplainDto, VerdictDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(crate) async fn explain(session: &Session, text: &str) -> Result<Exit, Failure> {
    let task_id = select::task_id(session, text).await?;
    let explained = session
        .client
        .explain_task(v1::ExplainTaskRequest { task_id })
        .await?;
    session.printer.report(&Explained { explained })?;
    Ok(Exit::Ok)
}

struct Explained {
    explained: v1::ExplainTaskResponse,
}

impl Report for Explained {
    fn json(&self) -> Value {
        output::json_value(&ExplainDto::from(&self.explained))
    }

    fn ids(&self) -> Vec<String> {
        self.explained
            .state
            .iter()
            .map(|state| state.task_id.clone())
            .collect()
    }

    fn text(&self, _look: Look) -> String {
        let dto = ExplainDto::from(&self.explained);
        let since = dto::to_std(self.explained.since)
            .map(|span| format!(" {}", output::took(span)))
            .unwrap_or_default();
        let needs = if dto.needs.is_empty() {
            String::new()
        } else {
            format!("  ·  needs {}", dto.needs)
        };
        let mut lines = vec![format!(
            "{}  {}{since}{needs}",
            dto.state.task_id,
            output::word(dto.state.status)
        )];
        if let Some(reason) = dto
            .state
            .reason
            .as_ref()
            .filter(|reason| !reason.detail.is_empty())
        {
            lines.push(format!("{}: {}", reason.code, reason.detail));
        }
        if dto.nodes.is_empty() {
            lines.push(self.without_nodes(&dto.state.task_id));
        }
        lines.extend(verdicts(&dto.nodes));
        lines.join("\n") + "\n"
    }
}

impl Explained {
    /// What stands in the place of the nodes: none is asked any more once the task has ended.
    fn without_nodes(&self, id: &str) -> String {
        let state = self.explained.state.as_ref();
        let status = state.and_then(|state| dto::task_status(state.status));
        if status.is_some_and(TaskStatus::is_final) {
            format!("  it has ended: openclaw-cluster task info {id}")
        } else {
            "  no node has joined yet: openclaw-cluster token show".to_owned()
        }
    }
}

/// One line for each reason of each node, in columns.
fn verdicts(nodes: &[VerdictDto]) -> Vec<String> {
    let name_width = nodes
        .iter()
        .map(|node| node.node_id.chars().count())
        .max()
        .unwrap_or_default();
    let codes = nodes
        .iter()
        .flat_map(|node| &node.reasons)
        .map(|reason| reason.code.chars().count());
    let code_width = codes.max().unwrap_or_default();
    let mut lines = Vec::new();
    for node in nodes {
        // Painted words have invisible characters: pad outside the paint.
        let able = if node.eligible {
            output::word("yes")
        } else {
            format!("{} ", output::word("no"))
        };
        if node.reasons.is_empty() {
            lines.push(format!("  {:<name_width$}  {able}", node.node_id));
        }
        for (index, reason) in node.reasons.iter().enumerate() {
            let (name, able) = if index == 0 {
                (node.node_id.as_str(), able.as_str())
            } else {
                ("", "   ")
            };
            lines.push(
                format!(
                    "  {name:<name_width$}  {able}  {:<code_width$}  {}",
                    reason.code, reason.detail
                )
                .trim_end()
                .to_owned(),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_every_node_has_its_line() {
        let reason = |code: &str, detail: &str| v1::Reason {
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        let verdict = |node_id: &str, eligible, reasons| v1::NodeVerdict {
            node_id: node_id.to_owned(),
            eligible,
            reasons,
        };
        let report = Explained {
            explained: v1::ExplainTaskResponse {
                state: Some(v1::TaskState {
                    task_id: "task_1".to_owned(),
                    status: v1::TaskStatus::Pending as i32,
                    reason: Some(reason(
                        "NO_NODE_WITH_SKILL",
                        "no online node has skill whisper",
                    )),
                    ..v1::TaskState::default()
                }),
                since: Some(prost_types::Duration {
                    seconds: 40,
                    nanos: 0,
                }),
                needs: "skill whisper, input 48 KiB".to_owned(),
                nodes: vec![
                    verdict(
                        "main-mac",
                        false,
                        vec![
                            reason("SKILL_INELIGIBLE", "missing program whisper"),
                            reason("NODE_BUSY", "5/5 slots"),
                        ],
                    ),
                    verdict("pc", true, vec![]),
                ],
            },
        };
        let look = Look {
            wide: false,
            width: None,
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        let plain = report
            .text(look)
            .replace("\u{1b}[33m", "")
            .replace("\u{1b}[31m", "")
            .replace("\u{1b}[32m", "")
            .replace("\u{1b}[0m", "");
        assert_eq!(
            plain,
            "task_1  pending 40.0 s  ·  needs skill whisper, input 48 KiB\n\
             NO_NODE_WITH_SKILL: no online node has skill whisper\n\
             \x20 main-mac  no   SKILL_INELIGIBLE  missing program whisper\n\
             \x20                NODE_BUSY         5/5 slots\n\
             \x20 pc        yes\n"
        );
    }

    #[test]
    fn a_task_that_has_ended_is_not_told_that_no_node_has_joined() {
        let text = |status: v1::TaskStatus| {
            let explained = v1::ExplainTaskResponse {
                state: Some(v1::TaskState {
                    task_id: "task_1".to_owned(),
                    status: status as i32,
                    ..v1::TaskState::default()
                }),
                ..v1::ExplainTaskResponse::default()
            };
            Explained { explained }.text(Look {
                wide: false,
                width: None,
                now: std::time::SystemTime::UNIX_EPOCH,
            })
        };
        assert!(text(v1::TaskStatus::Pending).contains("no node has joined yet"));
        let ended = text(v1::TaskStatus::Completed);
        assert!(ended.contains("task info task_1"), "{ended}");
        assert!(!ended.contains("joined"), "{ended}");
    }
}
