//! A skill as the whole cluster has it.

use openclaw_proto::v1;
use serde::Serialize;

use super::node::NodeSkillDto;

/// A skill and where it can run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkillDto {
    /// One node's advertisement.
    #[serde(flatten)]
    pub skill: NodeSkillDto,
    /// Nodes on which it is eligible, connected or not.
    pub eligible_nodes: Vec<String>,
    /// Nodes on which it is not.
    pub ineligible_nodes: Vec<SkillNodeDto>,
}

/// A node that has a skill but cannot run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkillNodeDto {
    /// The node.
    pub node_id: String,
    /// Why not.
    pub reasons: Vec<String>,
}

impl From<&v1::ClusterSkill> for SkillDto {
    fn from(known: &v1::ClusterSkill) -> Self {
        let mut skill = NodeSkillDto::from(&known.skill.clone().unwrap_or_default());
        // Here the two fields speak of the cluster: eligible somewhere, and the reasons stand with their nodes.
        skill.eligible = !known.eligible_nodes.is_empty();
        skill.reasons.clear();
        let ineligible = known.ineligible_nodes.iter().map(|verdict| SkillNodeDto {
            node_id: verdict.node_id.clone(),
            reasons: verdict
                .reasons
                .iter()
                .map(|reason| reason.detail.clone())
                .collect(),
        });
        Self {
            skill,
            eligible_nodes: known.eligible_nodes.clone(),
            ineligible_nodes: ineligible.collect(),
        }
    }
}
