//! `skill info`.

use openclaw_proto::v1;
use serde_json::Value;

use super::list::details;
use crate::commands::session::Session;
use crate::dto::SkillDto;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Look, Report};

pub(crate) async fn info(session: &Session, name: &str) -> Result<Exit, Failure> {
    let answer = session.client.list_skills(v1::ListSkillsRequest {}).await?;
    let found = answer
        .skills
        .iter()
        .map(SkillDto::from)
        .find(|known| known.skill.name == name);
    let known = found.ok_or_else(|| {
        Failure::not_found(format!("no node has a skill `{name}`"))
            .hint("`openclaw-cluster skill list` shows the names")
    })?;
    session.printer.report(&SkillReport { known })?;
    Ok(Exit::Ok)
}

struct SkillReport {
    known: SkillDto,
}

impl Report for SkillReport {
    fn json(&self) -> Value {
        output::json_value(&self.known)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.known.skill.name.clone()]
    }

    fn text(&self, _look: Look) -> String {
        let skill = &self.known.skill;
        let version = skill
            .version
            .as_ref()
            .map(|version| format!("  version {version}"))
            .unwrap_or_default();
        let mut lines = vec![format!(
            "{}{version}  {}",
            output::bold(&skill.name),
            skill.executor
        )];
        lines.extend(skill.description.clone());
        let fact =
            |label: &str, value: Option<String>| value.map(|value| format!("{label:<12}{value}"));
        let listed = |items: &[String]| Some(items.join(" ")).filter(|text| !text.is_empty());
        lines.extend(fact("category", skill.category.clone()));
        lines.extend(fact("tags", listed(&skill.tags)));
        lines.extend(fact("needs", listed(&skill.dependencies)));
        lines.extend(fact("content", skill.content_hash.clone()));
        lines.extend(fact(
            "costs",
            skill
                .costs_money
                .then(|| "money to run: retries are off unless asked for".to_owned()),
        ));
        lines.push("nodes".to_owned());
        lines.extend(
            self.known
                .eligible_nodes
                .iter()
                .map(|node| format!("  {node}  {}", output::word("yes"))),
        );
        lines.extend(self.known.ineligible_nodes.iter().map(|node| {
            format!(
                "  {}  {}   {}",
                node.node_id,
                output::word("no"),
                details(node)
            )
        }));
        for (label, schema) in [
            ("parameters", &skill.input_schema),
            ("result", &skill.output_schema),
        ] {
            if !schema.is_null() {
                lines.push(label.to_owned());
                lines.extend(
                    format!("{schema:#}")
                        .lines()
                        .map(|line| format!("  {line}")),
                );
            }
        }
        lines.join("\n") + "\n"
    }
}
