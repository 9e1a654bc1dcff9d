//! Offers that wait at one worker while another node could start them at once are asked back.
//!
//! Revocation after HyperQueue's work stealing: the worker answers Released, and only then is the task placed anew.

use std::collections::BTreeMap;

use openclaw_common::time::Now;

use crate::arena::{NodeKey, TaskKey};
use crate::core::Core;
use crate::effect::{Effects, Send};
use crate::task::Phase;

/// An offer that has waited so long at its worker is stuck behind something.
pub(crate) const STUCK_MS: u64 = 100;

impl Core {
    /// Asks stuck offers back, as many as other nodes can start now.
    pub(crate) fn rebalance(&mut self, now: Now, fx: &mut Effects) {
        if self.nodes.overbooked.is_empty() {
            return;
        }
        let mut idle = self.idle_slots();
        if idle.is_empty() {
            return;
        }
        let crowded: Vec<NodeKey> = self.nodes.overbooked.iter().copied().collect();
        for from in crowded {
            let stuck = self.stuck(now, from);
            let mut leases = Vec::new();
            for key in stuck {
                if !self.could_go(key, from, &mut idle) {
                    continue;
                }
                if let Some(attempt) = &mut self.tasks[key].open {
                    attempt.revoked = true;
                    leases.push(attempt.lease);
                }
            }
            if let Some(session) = self.nodes[from]
                .session
                .as_ref()
                .filter(|_| !leases.is_empty())
            {
                fx.sends.push((session.id, Send::Revoke(leases)));
            }
        }
    }

    /// Free slots of nodes that take work, in thousandths.
    fn idle_slots(&self) -> BTreeMap<NodeKey, u64> {
        let places = self.nodes.free.iter();
        places
            .map(|(_, free, key)| (*key, free.0))
            .filter(|(_, free)| *free > 0)
            .collect()
    }

    /// Offers of a crowded node that have waited too long, the last ones first, no more than it holds too many.
    fn stuck(&self, now: Now, from: NodeKey) -> Vec<TaskKey> {
        let node = &self.nodes[from];
        let surplus = (node.used.slots_milli.saturating_sub(node.slots())).div_ceil(1_000);
        let mut stuck: Vec<_> = node
            .attempts
            .iter()
            .filter_map(|key| {
                let attempt = self.tasks[*key].open.as_ref()?;
                let waited = now.mono.since(attempt.offered_mono) >= STUCK_MS;
                let free =
                    attempt.phase == Phase::Offered && !attempt.revoked && attempt.kill.is_none();
                (waited && free && !attempt.orphan).then_some((attempt.lease, *key))
            })
            .collect();
        stuck.sort_unstable_by(|a, b| b.cmp(a));
        stuck.truncate(usize::try_from(surplus).unwrap_or(usize::MAX));
        stuck.into_iter().map(|(_, key)| key).collect()
    }

    /// Whether another node could start the task at once; its slots are then spoken for.
    fn could_go(&self, key: TaskKey, from: NodeKey, idle: &mut BTreeMap<NodeKey, u64>) -> bool {
        let class = &self.classes[self.tasks[key].class];
        let demand = &class.req.demand;
        let target = idle.iter_mut().find(|(node, free)| {
            **node != from
                && **free >= demand.slots_milli
                && class.nodes.contains(node)
                && self.nodes[**node].fits(demand)
        });
        let Some((_, free)) = target else {
            return false;
        };
        *free -= demand.slots_milli;
        true
    }
}
