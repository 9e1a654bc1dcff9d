//! `node list`.

use openclaw_proto::v1;
use serde_json::Value;

use crate::args::NodeListArgs;
use crate::commands::session::Session;
use crate::dto::{self, NodeDto, to_wire};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Align, Look, Report, Table};

pub(crate) async fn list(session: &Session, args: &NodeListArgs) -> Result<Exit, Failure> {
    let statuses = args
        .status
        .iter()
        .map(|status| to_wire::node_status(*status) as i32)
        .collect();
    let nodes = session
        .client
        .list_nodes(v1::ListNodesRequest { statuses })
        .await?
        .nodes;
    session.printer.report(&NodesReport {
        nodes,
        filtered: !args.status.is_empty(),
    })?;
    Ok(Exit::Ok)
}

struct NodesReport {
    nodes: Vec<v1::Node>,
    filtered: bool,
}

impl Report for NodesReport {
    fn json(&self) -> Value {
        Value::Array(self.items().unwrap_or_default())
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(
            self.nodes
                .iter()
                .map(|node| output::json_value(&NodeDto::from(node)))
                .collect(),
        )
    }

    fn ids(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.node_id.clone()).collect()
    }

    fn text(&self, look: Look) -> String {
        if self.nodes.is_empty() {
            return if self.filtered {
                "No node is in that state.\n".to_owned()
            } else {
                "No node yet. How to join one: openclaw-cluster token show\n".to_owned()
            };
        }
        let mut header = vec![
            ("NODE", Align::Left),
            ("STATUS", Align::Left),
            ("PLATFORM", Align::Left),
            ("TASKS", Align::Left),
            ("CPU", Align::Right),
            ("MEM", Align::Right),
        ];
        if look.wide {
            header.extend([
                ("DISK", Align::Right),
                ("ADDRESS", Align::Left),
                ("VERSION", Align::Left),
                ("TAGS", Align::Left),
            ]);
        }
        header.extend([("SKILLS", Align::Left), ("SEEN", Align::Left)]);
        let mut table = Table::new(header);
        for node in &self.nodes {
            table.row(row(node, look));
        }
        table.render(look.width)
    }
}

fn row(node: &v1::Node, look: Look) -> Vec<String> {
    let dto = NodeDto::from(node);
    let status = if dto.flags.is_empty() {
        dto.status.to_owned()
    } else {
        format!("{} ({})", dto.status, dto.flags.join(", "))
    };
    let unable = dto.skills.len() - dto.available_skills.len();
    let skills = if unable > 0 {
        format!("{} (+{unable})", dto.available_skills.len())
    } else {
        dto.available_skills.len().to_string()
    };
    let mut cells = vec![
        dto.node_id,
        status,
        format!("{} {}", dto.platform, dto.arch),
        format!("{}/{}", dto.running_tasks, dto.max_concurrent_tasks),
        percent(dto.cpu_usage),
        percent(dto.memory_usage),
    ];
    if look.wide {
        let address = dto.tailscale_ip.or(dto.ip_address).unwrap_or_default();
        cells.extend([
            percent(dto.disk_usage),
            address,
            dto.version,
            dto.tags.join(" "),
        ]);
    }
    let seen =
        dto::since(node.last_heartbeat, look.now).map_or_else(|| "never".to_owned(), output::age);
    cells.extend([skills, seen]);
    cells
}

/// `31%`, or a dash when nothing was reported.
pub(super) fn percent(usage: Option<f64>) -> String {
    usage.map_or_else(|| "-".to_owned(), |usage| format!("{usage:.0}%"))
}
