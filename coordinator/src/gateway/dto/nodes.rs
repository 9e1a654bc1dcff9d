//! Nodes, skills, the cluster and explanations as JSON.

use std::collections::BTreeMap;

use openclaw_common::status::NodeStatus;
use openclaw_common::time::Wall;
use openclaw_core::view::{NodeView, View};
use openclaw_proto::v1;
use serde::Serialize;
use serde_json::value::RawValue;

use super::scalar::{seconds_of, stamp, stamp_of};
use super::task_out::{StateOut, json};
use super::words;
use crate::grpc::convert;

/// A node: the 21 fields that clients know, and those beside them.
#[derive(Debug, Serialize)]
pub(crate) struct NodeOut {
    node_id: String,
    hostname: String,
    platform: String,
    arch: String,
    status: Option<String>,
    available_skills: Vec<String>,
    max_concurrent_tasks: u32,
    running_tasks: u32,
    ip_address: Option<String>,
    tailscale_ip: Option<String>,
    port: u32,
    cpu_usage: f32,
    memory_usage: f32,
    disk_usage: f32,
    total_tasks_processed: u64,
    successful_tasks: u64,
    failed_tasks: u64,
    average_execution_time: f64,
    registered_at: Option<String>,
    last_heartbeat: Option<String>,
    tags: Vec<String>,
    skills: Vec<NodeSkillOut>,
    flags: BTreeMap<&'static str, String>,
    cpus: u32,
    memory_bytes: u64,
    gpus: u32,
    version: String,
    protocol: u32,
}

/// A skill on one node.
#[derive(Debug, Serialize)]
struct NodeSkillOut {
    name: String,
    version: Option<String>,
    executor: Option<String>,
    eligible: bool,
    reasons: Vec<String>,
}

/// How one node is.
#[derive(Debug, Serialize)]
pub(crate) struct NodeHealth {
    node_id: String,
    hostname: String,
    healthy: bool,
    status: &'static str,
    last_heartbeat: String,
    time_since_heartbeat: f64,
    is_timeout: bool,
    cpu_usage: f32,
    memory_usage: f32,
    disk_usage: f32,
    running_tasks: u32,
    max_concurrent_tasks: u32,
    available_capacity: u32,
}

/// How the cluster is.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterHealth {
    checked_at: String,
    total_nodes: usize,
    nodes_by_status: BTreeMap<&'static str, u32>,
    online_nodes: u32,
    offline_nodes: u32,
    busy_nodes: u32,
    timeout_nodes_count: usize,
    total_capacity: u32,
    used_capacity: u32,
    available_capacity: u32,
    capacity_utilization: f64,
    cluster_id: String,
    epoch: u64,
    pending_tasks: u64,
    scheduled_tasks: u64,
    running_tasks: u64,
}

/// A skill as the whole cluster has it.
#[derive(Debug, Serialize)]
pub(crate) struct SkillOut {
    name: String,
    version: Option<String>,
    category: Option<String>,
    description: String,
    tags: Vec<String>,
    content_hash: Option<String>,
    executor: Option<String>,
    input_schema: Option<Box<RawValue>>,
    output_schema: Option<Box<RawValue>>,
    dependencies: Vec<String>,
    costs_money: bool,
    eligible_nodes: Vec<String>,
    ineligible_nodes: Vec<VerdictOut>,
}

#[derive(Debug, Serialize)]
struct VerdictOut {
    node_id: String,
    eligible: bool,
    reasons: Vec<WhyOut>,
}

#[derive(Debug, Serialize)]
struct WhyOut {
    code: String,
    detail: String,
}

/// Why a task stands where it stands.
#[derive(Debug, Serialize)]
struct ExplanationOut {
    #[serde(flatten)]
    state: Option<StateOut>,
    since: Option<f64>,
    needs: String,
    nodes: Vec<VerdictOut>,
}

impl From<&NodeView> for NodeOut {
    fn from(view: &NodeView) -> Self {
        let node = convert::node_proto(view);
        let facts = node.facts.unwrap_or_default();
        let load = node.load.unwrap_or_default();
        let eligible = node.skills.iter().filter(|skill| skill.eligible);
        Self {
            available_skills: eligible.map(|skill| skill.name.clone()).collect(),
            node_id: node.node_id,
            hostname: facts.hostname,
            platform: facts.platform,
            arch: facts.arch,
            status: words::node_status(node.status),
            max_concurrent_tasks: node.max_concurrent_tasks,
            running_tasks: node.running_tasks,
            ip_address: filled(facts.ip_address),
            tailscale_ip: filled(facts.tailscale_ip),
            port: facts.port,
            cpu_usage: load.cpu_usage,
            memory_usage: load.memory_usage,
            disk_usage: load.disk_usage,
            total_tasks_processed: node.total_tasks_processed,
            successful_tasks: node.successful_tasks,
            failed_tasks: node.failed_tasks,
            average_execution_time: node.average_execution_time,
            registered_at: stamp_of(node.registered_at.as_ref()),
            last_heartbeat: stamp_of(node.last_heartbeat.as_ref()),
            tags: node.tags,
            skills: node.skills.into_iter().map(NodeSkillOut::from).collect(),
            flags: view
                .flags
                .iter()
                .map(|(flag, since)| (*flag, stamp(*since)))
                .collect(),
            cpus: facts.cpus,
            memory_bytes: facts.memory_bytes,
            gpus: facts.gpus,
            version: node.version,
            protocol: node.protocol,
        }
    }
}

impl From<v1::Skill> for NodeSkillOut {
    fn from(skill: v1::Skill) -> Self {
        Self {
            name: skill.name,
            version: filled(skill.version),
            executor: words::executor(skill.executor),
            eligible: skill.eligible,
            reasons: skill.reasons,
        }
    }
}

impl NodeHealth {
    /// At this time; a node that was silent for `timeout_ms` has timed out.
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    pub(crate) fn of(view: &NodeView, now: Wall, timeout_ms: u64) -> Self {
        let node = convert::node_proto(view);
        let load = node.load.unwrap_or_default();
        let silent_ms = now.since(view.last_seen);
        let is_timeout = silent_ms > timeout_ms;
        let connected = matches!(view.status, NodeStatus::Online | NodeStatus::Busy);
        Self {
            node_id: node.node_id,
            hostname: node.facts.unwrap_or_default().hostname,
            healthy: connected && !is_timeout && !view.flags.contains_key("suspect"),
            status: view.status.as_str(),
            last_heartbeat: stamp(view.last_seen),
            time_since_heartbeat: silent_ms as f64 / 1_000.0,
            is_timeout,
            cpu_usage: load.cpu_usage,
            memory_usage: load.memory_usage,
            disk_usage: load.disk_usage,
            running_tasks: node.running_tasks,
            max_concurrent_tasks: node.max_concurrent_tasks,
            available_capacity: free_slots(view),
        }
    }
}

/// Slots that take no task now are not available, even on a connected node.
fn free_slots(view: &NodeView) -> u32 {
    if view.status != NodeStatus::Online {
        return 0;
    }
    let free = view
        .inventory
        .pools
        .slots_milli
        .saturating_sub(view.used_milli)
        / 1_000;
    u32::try_from(free).unwrap_or(u32::MAX)
}

impl ClusterHealth {
    /// At this time; nodes that were silent for `timeout_ms` without having left are counted.
    pub(crate) fn of(view: &View, now: Wall, timeout_ms: u64) -> Self {
        let (counted, total, used) = convert::node_counts(view);
        let count = |status: NodeStatus| counted.get(status.as_str()).copied().unwrap_or(0);
        let silent = |node: &&NodeView| {
            node.status != NodeStatus::Offline && now.since(node.last_seen) > timeout_ms
        };
        let share = if total == 0 {
            0.0
        } else {
            f64::from(used) * 100.0 / f64::from(total)
        };
        Self {
            checked_at: stamp(now),
            total_nodes: view.nodes.len(),
            nodes_by_status: NodeStatus::ALL
                .iter()
                .map(|status| (status.as_str(), count(*status)))
                .collect(),
            online_nodes: count(NodeStatus::Online),
            offline_nodes: count(NodeStatus::Offline),
            busy_nodes: count(NodeStatus::Busy),
            timeout_nodes_count: view.nodes.iter().filter(silent).count(),
            total_capacity: total,
            used_capacity: used,
            available_capacity: total.saturating_sub(used),
            capacity_utilization: (share * 100.0).round() / 100.0,
            cluster_id: view.cluster_id.to_string(),
            epoch: view.epoch,
            pending_tasks: view.pending,
            scheduled_tasks: view.scheduled,
            running_tasks: view.running,
        }
    }
}

impl From<v1::ClusterSkill> for SkillOut {
    fn from(known: v1::ClusterSkill) -> Self {
        let skill = known.skill.unwrap_or_default();
        Self {
            name: skill.name,
            version: filled(skill.version),
            category: filled(skill.category),
            description: skill.description,
            tags: skill.tags,
            content_hash: filled(skill.content_hash),
            executor: words::executor(skill.executor),
            input_schema: json(&skill.input_schema),
            output_schema: json(&skill.output_schema),
            dependencies: skill.dependencies,
            costs_money: skill.costs_money,
            eligible_nodes: known.eligible_nodes,
            ineligible_nodes: known
                .ineligible_nodes
                .into_iter()
                .map(VerdictOut::from)
                .collect(),
        }
    }
}

impl From<v1::NodeVerdict> for VerdictOut {
    fn from(verdict: v1::NodeVerdict) -> Self {
        let why = |reason: v1::Reason| WhyOut {
            code: reason.code,
            detail: reason.detail,
        };
        Self {
            node_id: verdict.node_id,
            eligible: verdict.eligible,
            reasons: verdict.reasons.into_iter().map(why).collect(),
        }
    }
}

/// An explanation, ready to be sent.
pub(crate) fn explanation(explained: v1::ExplainTaskResponse) -> impl Serialize {
    ExplanationOut {
        state: explained.state.map(StateOut::from),
        since: seconds_of(explained.since.as_ref()),
        needs: explained.needs,
        nodes: explained.nodes.into_iter().map(VerdictOut::from).collect(),
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
