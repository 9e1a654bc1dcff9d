//! Choosing a node: the five strategies, over nodes that are eligible and have room.
//!
//! Nodes on which a task would start at once come before those where it would wait at the worker.

use openclaw_common::backoff::{scale, splitmix};
use openclaw_common::status::Strategy;

use crate::arena::NodeKey;
use crate::class::Class;
use crate::model::Requirements;
use crate::node::{Node, Nodes};

/// Up to so many eligible nodes are compared one by one; beyond, the index of nodes with room is walked.
const FEW: usize = 16;

/// The node for the next task of a class, if any fits.
pub(crate) fn choose(
    strategy: Strategy,
    class: &Class,
    nodes: &Nodes,
    rng: &mut u64,
) -> Option<NodeKey> {
    if class.live == 0 || nodes.free.is_empty() {
        return None;
    }
    let demand = &class.req.demand;
    pick(strategy, class, nodes, rng, |node| node.fits(demand))
        .or_else(|| pick(strategy, class, nodes, rng, |node| node.may_queue(demand)))
}

fn pick(
    strategy: Strategy,
    class: &Class,
    nodes: &Nodes,
    rng: &mut u64,
    fits: impl Fn(&Node) -> bool,
) -> Option<NodeKey> {
    let candidate = |key: &NodeKey| {
        let node = &nodes[*key];
        node.place.is_some() && fits(node)
    };
    let all = class.nodes.iter().copied().filter(|key| candidate(key));
    match strategy {
        Strategy::LeastTasks if class.nodes.len() > FEW => nodes
            .free
            .iter()
            .map(|(_, _, key)| *key)
            .find(|key| class.nodes.contains(key) && fits(&nodes[*key])),
        Strategy::LeastTasks => all.min_by_key(|key| nodes[*key].place),
        Strategy::RoundRobin => {
            let mut first = None;
            for key in all {
                if class.served.is_none_or(|served| key > served) {
                    return Some(key);
                }
                first = first.or(Some(key));
            }
            first
        }
        Strategy::Random => {
            let all: Vec<NodeKey> = all.collect();
            let last = u64::try_from(all.len().checked_sub(1)?).ok()?;
            let at = usize::try_from(scale(last, splitmix(rng))).ok()?;
            all.get(at).copied()
        }
        Strategy::BestFit => {
            all.max_by_key(|key| (score(&nodes[*key], &class.req), std::cmp::Reverse(*key)))
        }
        Strategy::Affinity => all.max_by_key(|key| {
            let node = &nodes[*key];
            (
                matches(node, &class.req),
                score(node, &class.req),
                std::cmp::Reverse(*key),
            )
        }),
    }
}

fn matches(node: &Node, req: &Requirements) -> u64 {
    let tags = &node.inventory.tags;
    let count = req
        .affinity
        .iter()
        .filter(|tag| tags.binary_search(tag).is_ok())
        .count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// 0.3 (100 − cpu %) + 0.3 (100 − memory %) + 0.2 · 100 · free / max + 0.2 · 100 · matching / wanted tags, times 1,000.
fn score(node: &Node, req: &Requirements) -> u64 {
    let idle = |milli: u16| 1_000 - u64::from(milli.min(1_000));
    let free = node.free_slots() * 1_000 / node.slots().max(1);
    let wanted = u64::try_from(req.affinity.len()).unwrap_or(u64::MAX);
    let affinity = (matches(node, req) * 1_000)
        .checked_div(wanted)
        .unwrap_or(0);
    30 * idle(node.load.cpu_milli) + 30 * idle(node.load.memory_milli) + 20 * free + 20 * affinity
}
