//! What the core shows: live tasks one by one, nodes and counts as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{ClusterId, LeaseId};
use openclaw_common::status::{NodeStatus, Strategy};
use openclaw_common::time::Wall;

use crate::effect::TaskState;
use crate::model::{Facts, Inventory, Load, Progress};
use crate::record::PastAttempt;

/// A task that is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTask {
    /// Where it stands.
    pub state: TaskState,
    /// When it was accepted.
    pub submitted: Wall,
    /// When the latest attempt was offered.
    pub scheduled: Option<Wall>,
    /// When the latest attempt started.
    pub started: Option<Wall>,
    /// Earliest next attempt.
    pub next_attempt: Option<Wall>,
    /// Lease of the latest attempt.
    pub lease: Option<LeaseId>,
    /// Retries used.
    pub retries: u32,
    /// Losses charged.
    pub losses: u32,
    /// Somebody asked to cancel it.
    pub cancel_requested: bool,
    /// Latest progress.
    pub progress: Option<Progress>,
    /// Attempts that ended, oldest first.
    pub attempts: Vec<PastAttempt>,
}

/// Why a task stands where it stands, node by node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Where it stands.
    pub state: TaskState,
    /// Since when.
    pub since: Wall,
    /// What it needs, in words.
    pub needs: String,
    /// Every known node.
    pub nodes: Vec<NodeVerdict>,
}

/// What holds a task back on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVerdict {
    /// The node.
    pub node: Arc<str>,
    /// Everything that holds the task back there, hardest first; empty: nothing does.
    pub reasons: Vec<(ReasonCode, String)>,
}

/// Nodes and counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch.
    pub epoch: u64,
    /// Nodes by name.
    pub nodes: Vec<NodeView>,
    /// Tasks waiting.
    pub pending: u64,
    /// Tasks offered.
    pub scheduled: u64,
    /// Tasks running.
    pub running: u64,
    /// How nodes are chosen; `None` before the first view.
    pub strategy: Option<Strategy>,
}

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Name.
    pub name: Arc<str>,
    /// Machine.
    pub facts: Arc<Facts>,
    /// Public state.
    pub status: NodeStatus,
    /// Words beside the state, with since-times.
    pub flags: BTreeMap<&'static str, Wall>,
    /// What it can run.
    pub inventory: Arc<Inventory>,
    /// Skills that could not be started there since they were advertised, with the reason.
    pub broken_skills: BTreeMap<Box<str>, String>,
    /// Attempts offered or running.
    pub running: u32,
    /// Slots taken, in thousandths.
    pub used_milli: u64,
    /// Load as last reported.
    pub load: Load,
    /// Attempts completed there.
    pub succeeded: u64,
    /// Attempts that ended otherwise there.
    pub failed: u64,
    /// Milliseconds that completed attempts ran there.
    pub run_ms: u64,
    /// When it was first seen.
    pub registered: Wall,
    /// When it was last heard of.
    pub last_seen: Wall,
    /// Its worker's build.
    pub build: Box<str>,
    /// Protocol spoken with it; 0 when not connected.
    pub protocol: u32,
}
