//! What clients see of nodes and skills, and why a task waits, node by node.

use std::collections::BTreeMap;

use openclaw_common::code::ReasonCode;
use openclaw_common::status::NodeStatus;
use openclaw_common::time::Now;
use openclaw_core::model::{Facts, Load, Skill};
use openclaw_core::view::{Explanation, NodeView, View};
use openclaw_proto::v1;

use super::public::{duration, reason, state_proto, timestamp};
use super::words;

/// Why a task stands where it stands, node by node.
pub fn explanation(explained: &Explanation, now: Now) -> v1::ExplainTaskResponse {
    let nodes = explained.nodes.iter().map(|verdict| v1::NodeVerdict {
        node_id: verdict.node.to_string(),
        eligible: verdict.reasons.is_empty(),
        reasons: verdict
            .reasons
            .iter()
            .map(|(code, detail)| reason(*code, detail.as_str()))
            .collect(),
    });
    v1::ExplainTaskResponse {
        state: Some(state_proto(&explained.state)),
        since: Some(duration(now.wall.since(explained.since))),
        needs: explained.needs.clone(),
        nodes: nodes.collect(),
    }
}

/// A node.
#[expect(clippy::cast_precision_loss, reason = "a mean in seconds for people")]
pub fn node_proto(node: &NodeView) -> v1::Node {
    let mean_ms = if node.succeeded == 0 {
        0.0
    } else {
        node.run_ms as f64 / node.succeeded as f64
    };
    v1::Node {
        node_id: node.name.to_string(),
        facts: Some(facts_proto(&node.facts)),
        status: words::node_status(node.status).into(),
        flags: node.flags.keys().map(|flag| (*flag).to_owned()).collect(),
        skills: skills_of(node).collect(),
        tags: node
            .inventory
            .tags
            .iter()
            .map(ToString::to_string)
            .collect(),
        max_concurrent_tasks: whole_slots(node.inventory.pools.slots_milli),
        running_tasks: node.running,
        load: Some(load_proto(node.load)),
        total_tasks_processed: node.succeeded.saturating_add(node.failed),
        successful_tasks: node.succeeded,
        failed_tasks: node.failed,
        average_execution_time: mean_ms / 1_000.0,
        registered_at: Some(timestamp(node.registered)),
        last_heartbeat: Some(timestamp(node.last_seen)),
        version: node.build.to_string(),
        protocol: node.protocol,
    }
}

fn whole_slots(milli: u64) -> u32 {
    u32::try_from(milli / 1_000).unwrap_or(u32::MAX)
}

fn facts_proto(facts: &Facts) -> v1::NodeFacts {
    v1::NodeFacts {
        hostname: facts.hostname.to_string(),
        platform: facts.platform.to_string(),
        arch: facts.arch.to_string(),
        ip_address: facts.ip_address.to_string(),
        tailscale_ip: facts.tailscale_ip.to_string(),
        port: u32::from(facts.port),
        cpus: facts.cpus,
        memory_bytes: facts.memory_bytes,
        gpus: facts.gpus,
    }
}

fn load_proto(load: Load) -> v1::NodeLoad {
    let percent = |milli: u16| f32::from(milli) / 10.0;
    v1::NodeLoad {
        cpu_usage: percent(load.cpu_milli),
        memory_usage: percent(load.memory_milli),
        disk_usage: percent(load.disk_milli),
    }
}

/// A skill as a node advertises it.
pub fn skill_proto(skill: &Skill) -> v1::Skill {
    let texts = |list: &[Box<str>]| list.iter().map(ToString::to_string).collect();
    v1::Skill {
        name: skill.name.to_string(),
        version: skill.version.to_string(),
        category: skill.category.to_string(),
        description: skill.description.to_string(),
        tags: texts(&skill.tags),
        content_hash: skill.content_hash.to_string(),
        executor: words::executor(skill.executor).into(),
        input_schema: skill.input_schema.to_string(),
        output_schema: skill.output_schema.to_string(),
        dependencies: texts(&skill.dependencies),
        eligible: skill.eligible,
        reasons: texts(&skill.reasons),
        costs_money: skill.costs_money,
    }
}

/// A node's skills; those that could not be started there are shown as such.
fn skills_of(node: &NodeView) -> impl Iterator<Item = v1::Skill> + '_ {
    node.inventory.skills.values().map(|skill| {
        let mut shown = skill_proto(skill);
        if let Some(broken) = node.broken_skills.get(&skill.name) {
            shown.eligible = false;
            shown.reasons.push(broken.clone());
        }
        shown
    })
}

/// All skills of all nodes, by name.
pub fn cluster_skills(view: &View) -> Vec<v1::ClusterSkill> {
    let mut skills: BTreeMap<String, v1::ClusterSkill> = BTreeMap::new();
    for node in &view.nodes {
        for skill in skills_of(node) {
            add_skill(skills.entry(skill.name.clone()).or_default(), node, skill);
        }
    }
    skills.into_values().collect()
}

fn add_skill(entry: &mut v1::ClusterSkill, node: &NodeView, skill: v1::Skill) {
    let name = node.name.to_string();
    if skill.eligible {
        entry.eligible_nodes.push(name);
    } else {
        let reasons = skill.reasons.iter();
        entry.ineligible_nodes.push(v1::NodeVerdict {
            node_id: name,
            eligible: false,
            reasons: reasons
                .map(|why| reason(ReasonCode::SkillIneligible, why.as_str()))
                .collect(),
        });
    }
    if entry
        .skill
        .as_ref()
        .is_none_or(|shown| skill.eligible && !shown.eligible)
    {
        entry.skill = Some(skill);
    }
}

/// The cluster's counts: nodes by state, and slots in all and taken of connected nodes.
pub fn node_counts(view: &View) -> (BTreeMap<&'static str, u32>, u32, u32) {
    let mut by_status: BTreeMap<&'static str, u32> = BTreeMap::new();
    let (mut total, mut used) = (0_u64, 0_u64);
    for node in &view.nodes {
        *by_status.entry(node.status.as_str()).or_default() += 1;
        if node.status != NodeStatus::Offline {
            total = total.saturating_add(node.inventory.pools.slots_milli);
            used = used.saturating_add(node.used_milli);
        }
    }
    (by_status, whole_slots(total), whole_slots(used))
}
