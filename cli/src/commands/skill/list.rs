//! `skill list`.

use openclaw_proto::v1;
use serde_json::Value;

use crate::commands::session::Session;
use crate::dto::{SkillDto, VerdictDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Align, Look, Report, Table};

/// Longest text in a column of its own.
const CELL: usize = 48;

pub(crate) async fn list(session: &Session) -> Result<Exit, Failure> {
    let answer = session.client.list_skills(v1::ListSkillsRequest {}).await?;
    let skills = answer.skills.iter().map(SkillDto::from).collect();
    session.printer.report(&SkillsReport { skills })?;
    Ok(Exit::Ok)
}

/// Why a node cannot run a skill.
pub(super) fn details(node: &VerdictDto) -> String {
    let details: Vec<&str> = node
        .reasons
        .iter()
        .map(|reason| reason.detail.as_str())
        .collect();
    details.join("; ")
}

struct SkillsReport {
    skills: Vec<SkillDto>,
}

impl Report for SkillsReport {
    fn json(&self) -> Value {
        Value::Array(self.items().unwrap_or_default())
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.skills.iter().map(output::json_value).collect())
    }

    fn ids(&self) -> Vec<String> {
        self.skills
            .iter()
            .map(|known| known.skill.name.clone())
            .collect()
    }

    fn text(&self, look: Look) -> String {
        if self.skills.is_empty() {
            return "No node has told of a skill yet: openclaw-cluster node list\n".to_owned();
        }
        let mut header = vec![
            ("SKILL", Align::Left),
            ("KIND", Align::Left),
            ("CAN RUN ON", Align::Left),
        ];
        if look.wide {
            header.extend([
                ("VERSION", Align::Left),
                ("CATEGORY", Align::Left),
                ("DESCRIPTION", Align::Left),
            ]);
        }
        header.push(("NOT ON", Align::Left));
        let mut table = Table::new(header);
        for known in &self.skills {
            table.row(row(known, look));
        }
        table.render(look.width)
    }
}

fn row(known: &SkillDto, look: Look) -> Vec<String> {
    let skill = &known.skill;
    let on = if known.eligible_nodes.is_empty() {
        "-".to_owned()
    } else {
        known.eligible_nodes.join(" ")
    };
    let mut cells = vec![skill.name.clone(), skill.executor.to_owned(), on];
    if look.wide {
        let description = skill.description.as_deref().unwrap_or_default();
        cells.extend([
            skill.version.clone().unwrap_or_default(),
            skill.category.clone().unwrap_or_default(),
            output::one_line(description, CELL),
        ]);
    }
    let not_on: Vec<String> = known
        .ineligible_nodes
        .iter()
        .map(|node| format!("{}: {}", node.node_id, details(node)))
        .collect();
    cells.push(not_on.join("; "));
    cells
}
