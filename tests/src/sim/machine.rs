//! A machine with a worker: its clocks, its way to the coordinator, its disk, and what a dead process left running.

use std::collections::BTreeMap;

use openclaw_common::id::{LeaseId, TaskId};
use openclaw_proto::v1;
use openclaw_worker::convert::About;
use openclaw_worker::model::Demand;
use openclaw_worker::state::Remembered;

use super::agenda::ProcId;
use super::clock::Clock;

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    /// Ordinary delay of a message, in milliseconds.
    pub(crate) latency: u64,
    /// Until when nothing gets through to the worker, to the coordinator.
    pub(crate) blocked: (u64, u64),
    pub(crate) skills: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) pools: Demand,
    pub(crate) prefetch: u32,
    pub(crate) dir: DataDir,
    pub(crate) proc: Option<ProcId>,
    /// Programs of a process that is gone, still running: attempt, task, awake time of their end.
    pub(crate) leftovers: Vec<(LeaseId, TaskId, u64)>,
    /// Its worker was told never to come back.
    pub(crate) retired: bool,
    /// Processes started so far.
    pub(crate) starts: u32,
}

/// What the worker keeps on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataDir {
    pub(crate) uid: String,
    pub(crate) remembered: Option<Remembered>,
    /// Results, encoded as on the wire.
    pub(crate) spool: BTreeMap<LeaseId, v1::TaskResult>,
    /// Writes fail until then.
    pub(crate) failing_until: u64,
}

impl Machine {
    pub(crate) fn new(number: usize, clock: Clock) -> Self {
        let name = format!("m{number}");
        Self {
            dir: DataDir {
                uid: format!("uid-{name}"),
                ..DataDir::default()
            },
            name,
            clock,
            latency: 2,
            blocked: (0, 0),
            skills: Vec::new(),
            tags: Vec::new(),
            pools: Demand::default(),
            prefetch: 0,
            proc: None,
            leftovers: Vec::new(),
            retired: false,
            starts: 0,
        }
    }

    /// What its worker says of itself.
    pub(crate) fn about(&self, process_id: &str) -> About {
        About {
            build: "0.1.0".to_owned(),
            node_uid: self.dir.uid.clone(),
            node_secret: bytes::Bytes::from_static(&[7; 32]),
            node_id: self.dir.uid.replacen("uid-", "", 1),
            node_id_explicit: true,
            boot_id: format!("boot-{}", self.name),
            process_id: process_id.to_owned(),
            pid: self.starts,
            facts: v1::NodeFacts {
                hostname: self.name.clone(),
                ..v1::NodeFacts::default()
            },
            heartbeat_interval_ms: 5_000,
        }
    }

    /// What its worker offers.
    pub(crate) fn inventory(&self) -> v1::Inventory {
        let skill = |name: &String| v1::Skill {
            name: name.clone(),
            version: "1.0".to_owned(),
            executor: v1::SkillExecutor::Builtin.into(),
            eligible: true,
            ..v1::Skill::default()
        };
        let skills = self.skills.iter().map(skill).collect();
        openclaw_worker::convert::inventory(
            skills,
            self.tags.clone(),
            &self.pools,
            self.prefetch,
            false,
        )
    }
}
