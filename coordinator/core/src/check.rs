//! Proves that the core's indexes agree with each other. For tests and the simulation: it looks at everything.

use std::collections::BTreeMap;

use crate::arena::TaskKey;
use crate::core::{Core, Counts};
use crate::model::Pools;
use crate::task::{Phase, Task};
use crate::timer::Timer;

macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}

impl Core {
    /// Compares every index with what it indexes.
    ///
    /// # Errors
    /// The first disagreement, in words.
    pub fn sanity_check(&self) -> Result<(), String> {
        self.check_tasks()?;
        self.check_nodes()?;
        self.check_classes()
    }

    fn check_tasks(&self) -> Result<(), String> {
        ensure!(
            self.by_id.len() == self.tasks.len(),
            "by_id and tasks differ in length"
        );
        let (mut counts, mut open, mut queued) = (Counts::default(), 0, 0);
        let mut batches = BTreeMap::new();
        for (key, task) in self.tasks.iter() {
            let id = task.id;
            ensure!(
                self.by_id.get(&id) == Some(&key),
                "{id}: by_id names another"
            );
            self.check_waiting(key, task)?;
            queued += usize::from(task.queued);
            let Some(attempt) = &task.open else { continue };
            open += 1;
            ensure!(
                self.leases.get(&attempt.lease) == Some(&key),
                "{id}: its lease names another"
            );
            ensure!(
                self.nodes[attempt.node].attempts.contains(&key),
                "{id}: its node does not know it"
            );
            ensure!(
                attempt.number == task.attempt + 1,
                "{id}: attempt {} after {}",
                attempt.number,
                task.attempt
            );
            *batches.entry(attempt.batch).or_insert(0) += 1;
            if !attempt.orphan {
                match attempt.phase {
                    Phase::Started => counts.running += 1,
                    Phase::Offered | Phase::Recovering => counts.scheduled += 1,
                }
            }
        }
        let children = self
            .tasks
            .iter()
            .filter(|(_, task)| task.lineage.is_some())
            .count();
        let live = usize::try_from(self.families.live()).unwrap_or(usize::MAX);
        ensure!(
            live == children,
            "families count {live} live descendants, there are {children}"
        );
        ensure!(
            counts == self.counts,
            "counts are {:?}, should be {counts:?}",
            self.counts
        );
        ensure!(
            self.leases.len() == open,
            "{} leases, {open} open attempts",
            self.leases.len()
        );
        ensure!(
            self.queue.len() == queued,
            "{} in the queue, {queued} queued",
            self.queue.len()
        );
        ensure!(
            batches == self.batches,
            "rows of offers: {:?}, should be {batches:?}",
            self.batches
        );
        Ok(())
    }

    /// What a task waits for and where it waits.
    fn check_waiting(&self, key: TaskKey, task: &Task) -> Result<(), String> {
        let id = task.id;
        let waits = task.open.as_ref().is_none_or(|attempt| attempt.orphan) && !task.gated();
        ensure!(
            task.queued == waits,
            "{id}: queued is {}, should be {waits}",
            task.queued
        );
        let found = self.queue.contains(task.lane(), task.class, task.seq, key);
        ensure!(
            found == task.queued,
            "{id}: in the queue: {found}, queued: {}",
            task.queued
        );
        ensure!(
            task.open.is_some() || !task.cancel_requested(),
            "{id}: cancelled, not at a worker, and still live"
        );
        if let Some((_, due)) = task.past.as_ref().and_then(|past| past.gate) {
            ensure!(
                self.timers.contains(due, Timer::Gate(key)),
                "{id}: its gate has no timer"
            );
        }
        Ok(())
    }

    fn check_nodes(&self) -> Result<(), String> {
        for (key, node) in self.nodes.iter() {
            let name = &node.name;
            let mut used = Pools::default();
            for task in &node.attempts {
                let task = &self.tasks[*task];
                used.add(&self.classes[task.class].req.demand);
                let here = task
                    .open
                    .as_ref()
                    .is_some_and(|attempt| attempt.node == key);
                ensure!(here, "{name}: lists {}, which is elsewhere", task.id);
            }
            ensure!(
                used == node.used,
                "{name}: used {:?}, should be {used:?}",
                node.used
            );
            ensure!(
                node.available == node.takes_work(),
                "{name}: available is out of date"
            );
            ensure!(
                node.place == node.place_of(key),
                "{name}: its place is out of date"
            );
            let listed = node
                .place
                .is_none_or(|place| self.nodes.free.contains(&place));
            ensure!(listed, "{name}: not in the index of nodes with room");
            let overbooked = self.nodes.overbooked.contains(&key);
            ensure!(
                overbooked == node.overbooked(),
                "{name}: overbooked: {overbooked} is out of date"
            );
            if let Some(session) = &node.session {
                let found = self.nodes.by_session.get(&session.id);
                ensure!(found == Some(&key), "{name}: its stream names another");
                ensure!(
                    node.wake.is_some() || node.suspect.is_some(),
                    "{name}: connected and never looked at"
                );
            }
        }
        let places = self
            .nodes
            .iter()
            .filter(|(_, node)| node.place.is_some())
            .count();
        ensure!(
            places == self.nodes.free.len(),
            "the index of nodes with room holds strangers"
        );
        Ok(())
    }

    fn check_classes(&self) -> Result<(), String> {
        for (key, class) in self.classes.iter() {
            let eligible = self
                .nodes
                .iter()
                .filter(|(_, node)| node.eligible(&class.req));
            let nodes: std::collections::BTreeSet<_> = eligible.map(|(key, _)| key).collect();
            ensure!(
                nodes == class.nodes,
                "class {key:?}: eligible nodes are out of date"
            );
            let live = nodes
                .iter()
                .filter(|node| self.nodes[**node].available)
                .count();
            ensure!(
                live == class.live,
                "class {key:?}: {} live nodes, should be {live}",
                class.live
            );
            let uses = self
                .tasks
                .iter()
                .filter(|(_, task)| task.class == key)
                .count();
            ensure!(
                uses == class.uses,
                "class {key:?}: {} uses, should be {uses}",
                class.uses
            );
        }
        Ok(())
    }
}
