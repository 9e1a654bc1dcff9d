//! A skill as the whole cluster has it.

use openclaw_proto::v1;
use serde::Serialize;

use super::node::NodeSkillDto;
use super::parts::VerdictDto;

/// A skill and where it can run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkillDto {
    /// One node's advertisement.
    #[serde(flatten)]
    pub skill: NodeSkillDto,
    /// Nodes on which it is eligible, connected or not.
    pub eligible_nodes: Vec<String>,
    /// Nodes on which it is not.
    pub ineligible_nodes: Vec<VerdictDto>,
}

impl From<&v1::ClusterSkill> for SkillDto {
    fn from(known: &v1::ClusterSkill) -> Self {
        let mut skill = NodeSkillDto::from(&known.skill.clone().unwrap_or_default());
        // Here the two fields speak of the cluster: eligible somewhere, and the reasons stand with their nodes.
        skill.eligible = !known.eligible_nodes.is_empty();
        skill.reasons.clear();
        Self {
            skill,
            eligible_nodes: known.eligible_nodes.clone(),
            ineligible_nodes: known
                .ineligible_nodes
                .iter()
                .map(VerdictDto::from)
                .collect(),
        }
    }
}
