//! Placing tasks: decides attempts, writes them, offers them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId};
use openclaw_common::status::{TaskStatus, TaskType};
use openclaw_common::time::Now;

use crate::arena::{ClassKey, NodeKey, TaskKey};
use crate::attempt::Closing;
use crate::core::Core;
use crate::effect::{Effects, Offer, Send};
use crate::ending::End;
use crate::place;
use crate::rebalance::STUCK_MS;
use crate::record::{BatchId, OfferRow, OfferedAttempt, Write};
use crate::task::{Attempt, Phase};

impl Core {
    /// Gives waiting tasks to nodes with room until no task fits anywhere.
    pub(crate) fn dispatch(&mut self, now: Now, fx: &mut Effects) {
        let mut offers: BTreeMap<NodeKey, (BatchId, Vec<OfferedAttempt>)> = BTreeMap::new();
        let mut full: BTreeSet<ClassKey> = BTreeSet::new();
        while self.queue.len() > 0 && !self.nodes.free.is_empty() {
            let Self {
                queue,
                classes,
                nodes,
                rng,
                settings,
                ..
            } = self;
            let pick = queue.pick(|class| {
                if full.contains(&class) {
                    return None;
                }
                let strategy = classes[class].req.strategy.unwrap_or(settings.strategy);
                let node = place::choose(strategy, &classes[class], nodes, rng);
                if node.is_none() {
                    full.insert(class);
                }
                node
            });
            let Some(pick) = pick else { break };
            self.dequeue(pick.task);
            if !self.supersede_orphan(now, pick.task, fx) {
                continue;
            }
            let epoch = self.epoch;
            let (batch, list) = offers.entry(pick.node).or_insert_with(|| {
                self.batch_counter += 1;
                let id = BatchId {
                    epoch,
                    counter: self.batch_counter,
                };
                (id, Vec::new())
            });
            let batch = *batch;
            list.push(self.assign(now, pick.task, pick.node, batch));
            self.notify(pick.task, ReasonCode::Offered, fx);
        }
        for (node, (batch, list)) in offers {
            self.offer(now, node, batch, list, fx);
        }
        self.rebalance(now, fx);
    }

    /// A task that is placed again leaves its orphaned attempt behind and is charged for it. False: that was the
    /// last loss it could afford, and it is final now.
    fn supersede_orphan(&mut self, now: Now, key: TaskKey, fx: &mut Effects) -> bool {
        let Some(attempt) = &self.tasks[key].open else {
            return true;
        };
        let never_started = attempt.phase == Phase::Offered;
        let message = format!("node {} was lost", self.nodes[attempt.node].name);
        self.close_used_up(now, key, &Closing::untold(ReasonCode::Lost, &message), fx);
        let goes_on = never_started || self.charge_loss(now, key, fx);
        if goes_on {
            self.write_state(key, fx);
        }
        goes_on
    }

    /// Adds a loss of a started attempt. False: it was one too many, and the task is final now.
    pub(crate) fn charge_loss(&mut self, now: Now, key: TaskKey, fx: &mut Effects) -> bool {
        let cap = self.settings.loss_cap;
        let task = &mut self.tasks[key];
        let daemon = task.kind == TaskType::Daemon;
        let past = task.past_mut();
        past.losses += 1;
        if past.losses >= cap && !daemon {
            let detail = format!("its node was lost {} times", past.losses);
            self.finish(
                now,
                key,
                End::new(TaskStatus::Failed, ReasonCode::Lost, &detail),
                fx,
            );
            return false;
        }
        true
    }

    fn assign(
        &mut self,
        now: Now,
        key: TaskKey,
        node_key: NodeKey,
        batch: BatchId,
    ) -> OfferedAttempt {
        self.lease_counter += 1;
        let lease = LeaseId {
            epoch: self.epoch,
            counter: self.lease_counter,
        };
        let node = &mut self.nodes[node_key];
        let (session, offer_seq) = node
            .session
            .as_ref()
            .map_or((SessionId::default(), 0), |session| {
                (session.id, session.offer_seq + 1)
            });
        let process_id = Arc::clone(&node.process_id);
        let task = &mut self.tasks[key];
        let class = task.class;
        let number = task.attempt + 1;
        task.open = Some(Box::new(Attempt {
            lease,
            number,
            node: node_key,
            batch,
            session,
            offer_seq,
            phase: Phase::Offered,
            orphan: false,
            offered: now.wall,
            offered_mono: now.mono,
            revoked: false,
            started: None,
            expires: now.mono.plus(self.settings.lease_ms),
            backstop: None,
            kill: None,
            progress: None,
            process_id,
        }));
        let offered = OfferedAttempt {
            task: task.id,
            lease,
            number,
            losses: task.past.as_ref().map_or(0, |past| past.losses),
        };
        self.counts.scheduled += 1;
        self.leases.insert(lease, key);
        *self.batches.entry(batch).or_default() += 1;
        self.classes[class].served = Some(node_key);
        self.occupy(key, node_key);
        offered
    }

    /// Counts a task's attempt against its node.
    pub(crate) fn occupy(&mut self, key: TaskKey, node: NodeKey) {
        let class = self.tasks[key].class;
        let demand = &self.classes[class].req.demand;
        let holder = &mut self.nodes[node];
        holder.used.add(demand);
        holder.attempts.insert(key);
        self.version += 1;
        self.nodes.reindex(node);
    }

    fn offer(
        &mut self,
        now: Now,
        key: NodeKey,
        id: BatchId,
        list: Vec<OfferedAttempt>,
        fx: &mut Effects,
    ) {
        let node = &mut self.nodes[key];
        let row = OfferRow {
            id,
            at: now.wall,
            node: Arc::clone(&node.name),
            process_id: Arc::clone(&node.process_id),
            offers: list,
        };
        if let Some(session) = &mut node.session {
            session.offer_seq += 1;
            let offers = row
                .offers
                .iter()
                .map(|offered| Offer {
                    lease: offered.lease,
                    attempt: offered.number,
                    task: offered.task,
                })
                .collect();
            let send = Send::Offers {
                offer_seq: session.offer_seq,
                offers,
            };
            fx.sends.push((session.id, send));
        }
        self.wake_node_by(key, now.mono.plus(self.settings.lease_ms));
        if self.nodes.overbooked.contains(&key) {
            self.wake_node_by(key, now.mono.plus(STUCK_MS));
        }
        fx.writes.push(Write::Offer(row));
    }
}
