//! `node info`.

use openclaw_proto::v1;
use serde_json::Value;

use super::list::percent;
use crate::client::empty_answer;
use crate::commands::session::Session;
use crate::dto::{self, NodeDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(crate) async fn info(session: &Session, name: &str) -> Result<Exit, Failure> {
    let answer = session
        .client
        .get_node(v1::GetNodeRequest {
            node_id: name.to_owned(),
        })
        .await;
    let answer = answer.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.hint("`openclaw-cluster node list` shows the names"),
        _ => failure,
    })?;
    let node = answer
        .node
        .ok_or_else(|| empty_answer(&format!("node {name}")))?;
    session.printer.report(&NodeReport { node })?;
    Ok(Exit::Ok)
}

struct NodeReport {
    node: v1::Node,
}

impl Report for NodeReport {
    fn json(&self) -> Value {
        output::json_value(&NodeDto::from(&self.node))
    }

    fn ids(&self) -> Vec<String> {
        vec![self.node.node_id.clone()]
    }

    fn text(&self, look: Look) -> String {
        let dto = NodeDto::from(&self.node);
        let flags = if dto.flags.is_empty() {
            String::new()
        } else {
            format!(" ({})", dto.flags.join(", "))
        };
        let seen = dto::since(self.node.last_heartbeat, look.now).map_or_else(
            || "never seen".to_owned(),
            |span| format!("seen {} ago", output::age(span)),
        );
        let addresses: Vec<String> = [
            dto.ip_address.clone(),
            dto.tailscale_ip.as_ref().map(|ip| format!("tailnet {ip}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut lines = vec![
            format!(
                "{}  {}{flags}  {seen}",
                output::bold(&dto.node_id),
                output::word(dto.status)
            ),
            format!(
                "machine   {}  {} {}  {} cpus  {}  {} gpus",
                dto.hostname,
                dto.platform,
                dto.arch,
                dto.cpus,
                output::bytes(dto.memory_bytes),
                dto.gpus
            ),
            format!(
                "address   {}",
                if addresses.is_empty() {
                    "-".to_owned()
                } else {
                    addresses.join("  ")
                }
            ),
            format!(
                "load      cpu {}  memory {}  disk {}  ·  {}/{} tasks",
                percent(dto.cpu_usage),
                percent(dto.memory_usage),
                percent(dto.disk_usage),
                dto.running_tasks,
                dto.max_concurrent_tasks
            ),
            format!(
                "history   {} ended: {} completed, {} not  ·  mean {:.2} s",
                dto.total_tasks_processed,
                dto.successful_tasks,
                dto.failed_tasks,
                dto.average_execution_time
            ),
            format!(
                "worker    version {}",
                if dto.version.is_empty() {
                    "unknown"
                } else {
                    &dto.version
                }
            ),
        ];
        if !dto.tags.is_empty() {
            lines.push(format!("tags      {}", dto.tags.join(" ")));
        }
        lines.push("skills".to_owned());
        lines.extend(skill_lines(&dto));
        lines.join("\n") + "\n"
    }
}

fn skill_lines(dto: &NodeDto) -> Vec<String> {
    if dto.skills.is_empty() {
        return vec!["  none".to_owned()];
    }
    let widest = dto
        .skills
        .iter()
        .map(|skill| skill.name.len())
        .max()
        .unwrap_or_default();
    dto.skills
        .iter()
        .map(|skill| {
            let note = if skill.eligible {
                skill.executor.to_owned()
            } else {
                skill.reasons.join("; ")
            };
            // Painted words have invisible characters: pad before painting.
            let able = if skill.eligible {
                format!("{} ", output::word("yes"))
            } else {
                format!("{}  ", output::word("no"))
            };
            format!("  {:widest$}  {able} {note}", skill.name)
        })
        .collect()
}
