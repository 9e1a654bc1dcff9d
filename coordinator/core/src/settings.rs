//! What the core is told once: intervals and limits. All times in milliseconds.

use openclaw_common::status::Strategy;

/// Intervals, limits and defaults of one core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// A lease runs out this long after the last heartbeat that listed it.
    pub lease_ms: u64,
    /// Longest heartbeat interval that workers are told; never above `lease_ms / 6`.
    pub heartbeat_ms: u64,
    /// How often every node is looked at, beside the deadlines of its own; at least 1.
    pub sweep_ms: u64,
    /// How a node is chosen for tasks that name no strategy.
    pub strategy: Strategy,
    /// Most live tasks.
    pub max_tasks: usize,
    /// Most requirement classes.
    pub max_classes: usize,
    /// Most known nodes.
    pub max_nodes: usize,
    /// How deep tasks may be submitted from inside each other.
    pub max_depth: u32,
    /// How many tasks may descend from one.
    pub max_descendants: u32,
    /// Losses of started attempts after which a task fails.
    pub loss_cap: u32,
    /// Nodes on which a task may fail to start before it fails.
    pub spawn_cap: usize,
    /// Deaths of the worker's process under a task, each at least 1 s after its start, before the task fails.
    pub poison_cap: u32,
    /// A node that was silent for more than this many leases before a restart gets `silent_grace_ms` only.
    pub silent_leases: u64,
    /// The grace of such a node.
    pub silent_grace_ms: u64,
    /// How seldom a node's `last_seen` is written.
    pub last_seen_every_ms: u64,
    /// How long a connected process is asked for a sign of life before a newcomer takes its identity.
    pub takeover_ms: u64,
    /// Grace that workers give a process between the polite and the hard signal.
    pub kill_grace_ms: u64,
    /// How long after timeout and grace the coordinator itself asks for the end of an attempt.
    pub backstop_ms: u64,
    /// How long work on a node that announced sleep is waited for.
    pub sleep_hold_ms: u64,
    /// Failed attempts kept in a task's record.
    pub kept_attempts: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_ms: 90_000,
            heartbeat_ms: 5_000,
            sweep_ms: 30_000,
            strategy: Strategy::LeastTasks,
            max_tasks: 1_000_000,
            max_classes: 10_000,
            max_nodes: 10_000,
            max_depth: 3,
            max_descendants: 100,
            loss_cap: 5,
            spawn_cap: 3,
            poison_cap: 3,
            silent_leases: 3,
            silent_grace_ms: 15_000,
            last_seen_every_ms: 10_000,
            takeover_ms: 2_000,
            kill_grace_ms: 10_000,
            backstop_ms: 60_000,
            sleep_hold_ms: 30 * 60_000,
            kept_attempts: 20,
        }
    }
}

impl Settings {
    /// The interval told to a worker that was set to `wanted_ms`: the shorter of both, at most a sixth of the lease.
    #[must_use]
    pub fn heartbeat_for(&self, wanted_ms: u64) -> u64 {
        let cap = self.heartbeat_ms.min(self.lease_ms / 6).max(1);
        if wanted_ms == 0 {
            cap
        } else {
            wanted_ms.min(cap)
        }
    }
}
