//! The published view: nodes and counts as a whole.

use std::sync::Arc;

use openclaw_common::time::Now;

use crate::core::Core;
use crate::view::{NodeView, View};

impl Core {
    /// Nodes and counts at this moment.
    pub fn view(&self, _now: Now) -> View {
        let nodes = self
            .nodes
            .by_name
            .values()
            .map(|key| {
                let node = &self.nodes[*key];
                NodeView {
                    name: Arc::clone(&node.name),
                    facts: Arc::clone(&node.facts),
                    status: node.status(),
                    flags: node.flags(),
                    inventory: Arc::clone(&node.inventory),
                    broken_skills: node.broken.clone(),
                    running: u32::try_from(node.attempts.len()).unwrap_or(u32::MAX),
                    used_milli: node.used.slots_milli,
                    load: node.load,
                    succeeded: node.succeeded,
                    failed: node.failed,
                    run_ms: node.run_ms,
                    registered: node.registered,
                    last_seen: node.last_seen,
                    build: node.build.clone(),
                    protocol: node.session.as_ref().map_or(0, |session| session.protocol),
                }
            })
            .collect();
        let live = u64::try_from(self.tasks.len()).unwrap_or(u64::MAX);
        View {
            cluster_id: self.cluster_id,
            epoch: self.epoch,
            nodes,
            pending: live - self.counts.scheduled - self.counts.running,
            scheduled: self.counts.scheduled,
            running: self.counts.running,
            strategy: Some(self.settings.strategy),
        }
    }
}
