//! A machine, with the 21 field names of the HTTP API and what was added to them.

use openclaw_common::status::NodeStatus;
use openclaw_proto::v1;
use serde::Serialize;
use serde_json::Value;

use super::values::{json, non_empty, timestamp};
use super::words;

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDto {
    /// Its name.
    pub node_id: String,
    /// The machine's host name.
    pub hostname: String,
    /// macos, windows or linux.
    pub platform: String,
    /// x64, arm64, x86 or arm.
    pub arch: String,
    /// One of the five states, or `unknown` for one of a later version.
    pub status: &'static str,
    /// Names of the skills that can run there.
    pub available_skills: Vec<String>,
    /// Slots.
    pub max_concurrent_tasks: u32,
    /// Attempts offered or running.
    pub running_tasks: u32,
    /// Address on the local network.
    pub ip_address: Option<String>,
    /// Address on the tailnet.
    pub tailscale_ip: Option<String>,
    /// The port its settings name.
    pub port: u32,
    /// Per cent of all processors.
    pub cpu_usage: Option<f64>,
    /// Per cent of memory.
    pub memory_usage: Option<f64>,
    /// Per cent of the data disk.
    pub disk_usage: Option<f64>,
    /// Attempts ended there.
    pub total_tasks_processed: u64,
    /// Of these, completed.
    pub successful_tasks: u64,
    /// Of these, not completed.
    pub failed_tasks: u64,
    /// Mean run time in seconds.
    pub average_execution_time: f64,
    /// When it was first seen.
    pub registered_at: Option<String>,
    /// When it was last heard of.
    pub last_heartbeat: Option<String>,
    /// Tags for placement.
    pub tags: Vec<String>,
    /// Words beside the state.
    pub flags: Vec<String>,
    /// Every skill, also those that cannot run, with the reasons.
    pub skills: Vec<NodeSkillDto>,
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Graphics processors.
    pub gpus: u32,
    /// Build of its worker.
    pub version: String,
    /// Protocol spoken with it; 0 when not connected.
    pub protocol: u32,
}

/// A skill as one node has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeSkillDto {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its category.
    pub category: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// How it is run: command, builtin or agent.
    pub executor: &'static str,
    /// Hash of its folder.
    pub content_hash: Option<String>,
    /// Schema of its parameters.
    pub input_schema: Value,
    /// Schema of its result.
    pub output_schema: Value,
    /// Skills it needs.
    pub dependencies: Vec<String>,
    /// Whether it costs money to run.
    pub costs_money: bool,
    /// Whether the node can run it.
    pub eligible: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

pub(super) fn executor_word(wire: i32) -> &'static str {
    match v1::SkillExecutor::try_from(wire) {
        Ok(v1::SkillExecutor::Command) => "command",
        Ok(v1::SkillExecutor::Builtin) => "builtin",
        Ok(v1::SkillExecutor::Agent) => "agent",
        Ok(v1::SkillExecutor::Unspecified) | Err(_) => "unknown",
    }
}

impl From<&v1::Skill> for NodeSkillDto {
    fn from(skill: &v1::Skill) -> Self {
        Self {
            name: skill.name.clone(),
            version: non_empty(&skill.version),
            category: non_empty(&skill.category),
            description: non_empty(&skill.description),
            tags: skill.tags.clone(),
            executor: executor_word(skill.executor),
            content_hash: non_empty(&skill.content_hash),
            input_schema: json(&skill.input_schema),
            output_schema: json(&skill.output_schema),
            dependencies: skill.dependencies.clone(),
            costs_money: skill.costs_money,
            eligible: skill.eligible,
            reasons: skill.reasons.clone(),
        }
    }
}

impl From<&v1::Node> for NodeDto {
    fn from(node: &v1::Node) -> Self {
        let facts = node.facts.clone().unwrap_or_default();
        let usage =
            |pick: fn(&v1::NodeLoad) -> f32| node.load.as_ref().map(|load| tenths(pick(load)));
        let eligible = node.skills.iter().filter(|skill| skill.eligible);
        Self {
            node_id: node.node_id.clone(),
            hostname: facts.hostname,
            platform: facts.platform,
            arch: facts.arch,
            status: words::node_status(node.status).map_or("unknown", NodeStatus::as_str),
            available_skills: eligible.map(|skill| skill.name.clone()).collect(),
            max_concurrent_tasks: node.max_concurrent_tasks,
            running_tasks: node.running_tasks,
            ip_address: non_empty(&facts.ip_address),
            tailscale_ip: non_empty(&facts.tailscale_ip),
            port: facts.port,
            cpu_usage: usage(|load| load.cpu_usage),
            memory_usage: usage(|load| load.memory_usage),
            disk_usage: usage(|load| load.disk_usage),
            total_tasks_processed: node.total_tasks_processed,
            successful_tasks: node.successful_tasks,
            failed_tasks: node.failed_tasks,
            average_execution_time: node.average_execution_time,
            registered_at: timestamp(node.registered_at),
            last_heartbeat: timestamp(node.last_heartbeat),
            tags: node.tags.clone(),
            flags: node.flags.clone(),
            skills: node.skills.iter().map(NodeSkillDto::from).collect(),
            cpus: facts.cpus,
            memory_bytes: facts.memory_bytes,
            gpus: facts.gpus,
            version: node.version.clone(),
            protocol: node.protocol,
        }
    }
}

/// Per cent to one place: more digits than the measurement has would only differ from run to run.
fn tenths(per_cent: f32) -> f64 {
    (f64::from(per_cent) * 10.0).round() / 10.0
}
