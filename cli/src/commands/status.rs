//! `status`: the cluster in one look.

use std::collections::BTreeMap;

use openclaw_proto::v1;
use serde_json::Value;

use super::session::Session;
use crate::dto::{self, ClusterDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(super) async fn status(session: &Session) -> Result<Exit, Failure> {
    let cluster = session.client.get_cluster(v1::GetClusterRequest {}).await?;
    let started = cluster.started_at;
    let dto = ClusterDto::new(cluster, session.client.address().to_string());
    session.printer.report(&StatusReport { dto, started })?;
    Ok(Exit::Ok)
}

struct StatusReport {
    dto: ClusterDto,
    started: Option<prost_types::Timestamp>,
}

impl Report for StatusReport {
    fn json(&self) -> Value {
        output::json_value(&self.dto)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.dto.cluster_id.clone()]
    }

    fn text(&self, look: Look) -> String {
        let dto = &self.dto;
        let up = dto::since(self.started, look.now)
            .map(|span| format!("  up {}", output::age(span)))
            .unwrap_or_default();
        let differs = if dto.version == dto.client_version {
            String::new()
        } else {
            format!(" (this program: {})", dto.client_version)
        };
        let nodes = counts(&dto.nodes_by_status);
        let mut lines = vec![
            format!("cluster      {}  {}", dto.name, dto.cluster_id),
            format!(
                "coordinator  {}  version {}{differs}{up}  epoch {}  store {}",
                dto.address, dto.version, dto.epoch, dto.store
            ),
            format!(
                "nodes        {nodes}  ·  slots {}/{} in use",
                dto.used_slots, dto.total_slots
            ),
            format!(
                "tasks        {} pending, {} scheduled, {} running",
                dto.tasks.pending, dto.tasks.scheduled, dto.tasks.running
            ),
        ];
        if let Some(trouble) = &dto.trouble {
            lines.push(format!("trouble      {trouble}"));
        } else if dto.nodes_by_status.values().sum::<u32>() == 0 {
            lines.push("next:  join a machine: openclaw-cluster token show".to_owned());
        } else if dto.tasks.pending > 0 {
            lines.push("next:  see what waits: openclaw-cluster ps".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

/// `2 online, 1 offline`
fn counts(by_status: &BTreeMap<String, u32>) -> String {
    let parts: Vec<String> = by_status
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(status, count)| format!("{count} {}", output::word(status)))
        .collect();
    if parts.is_empty() {
        "none yet".to_owned()
    } else {
        parts.join(", ")
    }
}
