//! Building the core from what the store holds, after a restart or at the very first start.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::time::Now;

use crate::arena::{Interner, Slab, TaskKey};
use crate::class::Classes;
use crate::core::{Core, Counts};
use crate::family::Families;
use crate::node::{Node, Nodes};
use crate::queue::Queue;
use crate::record::{Loaded, OfferRow, StateRow};
use crate::settings::Settings;
use crate::task::{Attempt, Past, Phase};
use crate::timer::Timers;

impl Core {
    /// The core as the store left it. Attempts that may still run are `RECOVERING` until their nodes report.
    pub fn restore(settings: Settings, loaded: Loaded, now: Now, seed: u64) -> Self {
        let mut core = Self::empty(settings, &loaded, seed);
        for row in loaded.nodes {
            let key = core.nodes.insert(Node::from_row(row));
            core.reclassify(key);
        }
        for key in loaded.keys {
            core.keys
                .insert((key.user, key.key), (key.task, key.body_hash));
        }
        let mut keys = Vec::with_capacity(loaded.tasks.len());
        for row in &loaded.tasks {
            keys.push(core.place_row(row, now));
        }
        let states: BTreeMap<TaskId, StateRow> =
            loaded.states.into_iter().map(|row| (row.id, row)).collect();
        for (id, state) in states {
            if let Some(key) = core.by_id.get(&id).copied() {
                core.restore_state(now, key, state);
            }
        }
        for row in &loaded.offers {
            core.restore_offers(now, row);
        }
        core.count_batches(&loaded.offers);
        for key in keys {
            if core.tasks[key].open.is_none() {
                core.enqueue(key);
            }
        }
        for key in core.nodes.keys() {
            core.wake_node(now, key);
        }
        let sweep = now.mono.plus(core.settings.sweep_ms);
        core.timers.arm(sweep, crate::timer::Timer::Sweep);
        core
    }

    fn empty(settings: Settings, loaded: &Loaded, seed: u64) -> Self {
        Self {
            settings,
            cluster_id: loaded.cluster_id,
            epoch: loaded.epoch,
            rng: seed,
            seq: loaded.last_seq,
            lease_counter: 0,
            batch_counter: 0,
            nonce: 0,
            tasks: Slab::new(),
            by_id: BTreeMap::new(),
            counts: Counts::default(),
            classes: Classes::new(),
            policies: Interner::new(),
            users: Interner::new(),
            queue: Queue::default(),
            nodes: Nodes::new(),
            leases: BTreeMap::new(),
            batches: BTreeMap::new(),
            stale_batches: Vec::new(),
            keys: BTreeMap::new(),
            families: Families::default(),
            timers: Timers::default(),
            version: 1,
        }
    }

    fn restore_state(&mut self, now: Now, key: TaskKey, state: StateRow) {
        self.clear_gate(key);
        let task = &mut self.tasks[key];
        task.attempt = state.attempt;
        task.past = Some(Box::new(Past {
            retries: state.retries,
            losses: state.losses,
            deaths: state.deaths,
            cancel: state.cancel,
            gate: None,
            started_once: state.started_once,
            spawn_failed_on: state.spawn_failed_on,
            last: state
                .attempts
                .last()
                .map(|attempt| (attempt.code, attempt.message.clone())),
            attempts: state.attempts,
            stored: true,
            closed: state.closed,
        }));
        if state.started_once
            && let Some(due) = task.queue_due.take()
        {
            self.timers.disarm(due, crate::timer::Timer::Queue(key));
        }
        if let Some(gate) = state.gate.filter(|gate| gate.until > now.wall) {
            self.set_gate(now, key, gate);
        }
    }

    /// Rows come in the order of their decisions, so that a later attempt replaces an earlier one.
    fn restore_offers(&mut self, now: Now, row: &OfferRow) {
        let Some(node) = self.nodes.by_name.get(&row.node).copied() else {
            return;
        };
        let silent = now.wall.since(self.nodes[node].last_seen);
        let grace = if silent > self.settings.silent_leases * self.settings.lease_ms {
            self.settings.silent_grace_ms.min(self.settings.lease_ms)
        } else {
            self.settings.lease_ms
        };
        for offered in &row.offers {
            let Some(key) = self.by_id.get(&offered.task).copied() else {
                continue;
            };
            if !self.still_open(key, offered.lease) {
                continue;
            }
            self.clear_gate(key);
            self.forget_open(key);
            let task = &mut self.tasks[key];
            if offered.losses > 0 {
                let past = task.past_mut();
                past.losses = past.losses.max(offered.losses);
            }
            task.open = Some(Box::new(Attempt {
                lease: offered.lease,
                number: offered.number,
                node,
                batch: row.id,
                session: openclaw_common::id::SessionId::default(),
                offer_seq: 0,
                phase: Phase::Recovering,
                orphan: false,
                offered: row.at,
                offered_mono: now.mono,
                revoked: false,
                started: None,
                expires: now.mono.plus(grace),
                backstop: None,
                kill: None,
                progress: None,
                process_id: Arc::clone(&row.process_id),
            }));
            self.counts.scheduled += 1;
            self.leases.insert(offered.lease, key);
            self.occupy(key, node);
        }
    }

    /// Whether a lease is newer than every one that is known to have ended.
    fn still_open(&self, key: TaskKey, lease: LeaseId) -> bool {
        let task = &self.tasks[key];
        let closed = task.past.as_ref().and_then(|past| past.closed);
        let open = task.open.as_ref().map(|attempt| attempt.lease);
        closed.max(open).is_none_or(|newest| lease > newest)
    }

    fn forget_open(&mut self, key: TaskKey) {
        let Some(old) = self.tasks[key].open.take() else {
            return;
        };
        self.counts.scheduled -= 1;
        self.leases.remove(&old.lease);
        let class = self.tasks[key].class;
        let node = &mut self.nodes[old.node];
        node.used.sub(&self.classes[class].req.demand);
        node.attempts.remove(&key);
    }

    fn count_batches(&mut self, offers: &[OfferRow]) {
        for key in self.leases.values() {
            if let Some(attempt) = &self.tasks[*key].open {
                *self.batches.entry(attempt.batch).or_default() += 1;
            }
        }
        self.stale_batches = offers
            .iter()
            .map(|row| row.id)
            .filter(|id| !self.batches.contains_key(id))
            .collect();
    }
}
