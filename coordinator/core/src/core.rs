//! The core as a whole: its state, and the two calls that drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{ClusterId, LeaseId, TaskId};
use openclaw_common::status::TaskStatus;
use openclaw_common::time::{Mono, Now};

use crate::arena::{ClassKey, Interner, NodeKey, PolicyKey, Slab, TaskKey, UserKey};
use crate::class::Classes;
use crate::effect::{Effects, Notice, Reply};
use crate::event::{Event, SessionEvent};
use crate::family::Families;
use crate::model::Policy;
use crate::node::Nodes;
use crate::queue::Queue;
use crate::record::{BatchId, Write};
use crate::settings::Settings;
use crate::task::Task;
use crate::timer::{Timer, Timers};

/// Tasks offered and running; the other live ones are pending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) scheduled: u64,
    pub(crate) running: u64,
}

/// The state machine. One owner; every call is synchronous and takes the time as an argument.
#[derive(Debug, Clone)]
pub struct Core {
    pub(crate) settings: Settings,
    pub(crate) cluster_id: ClusterId,
    pub(crate) epoch: u64,
    pub(crate) rng: u64,
    /// `seq` of the task accepted last.
    pub(crate) seq: u64,
    pub(crate) lease_counter: u64,
    pub(crate) batch_counter: u64,
    pub(crate) nonce: u64,
    pub(crate) tasks: Slab<TaskKey, Task>,
    pub(crate) by_id: BTreeMap<TaskId, TaskKey>,
    pub(crate) counts: Counts,
    pub(crate) classes: Classes,
    pub(crate) policies: Interner<PolicyKey, Policy>,
    pub(crate) users: Interner<UserKey, Arc<str>>,
    pub(crate) queue: Queue,
    pub(crate) nodes: Nodes,
    /// Latest attempts, orphans included.
    pub(crate) leases: BTreeMap<LeaseId, TaskKey>,
    /// Latest attempts of each written row of offers.
    pub(crate) batches: BTreeMap<BatchId, u32>,
    /// Rows of offers that a restart found without a live attempt.
    pub(crate) stale_batches: Vec<BatchId>,
    /// Keys of callers, and ids they chose (with an empty user).
    pub(crate) keys: BTreeMap<(Arc<str>, Box<str>), (TaskId, u128)>,
    pub(crate) families: Families,
    pub(crate) timers: Timers,
    pub(crate) version: u64,
}

impl Core {
    /// Takes in one event. Placement follows in `advance`.
    pub fn handle(&mut self, now: Now, event: Event, fx: &mut Effects) {
        match event {
            Event::Submit {
                principal,
                tasks,
                reply,
            } => self.submit(now, &principal, tasks, reply, fx),
            Event::Cancel {
                principal,
                task,
                reason,
                reply,
            } => {
                let outcome = self.cancel(now, &principal, task, reason, fx);
                fx.replies.push((reply, Reply::Cancelled(outcome)));
            }
            Event::Query { query, reply } => self.query(&query, reply, fx),
            Event::Session { session, event } => self.session_event(now, session, event, fx),
            Event::Stalled { gap_ms } => self.stalled(now, gap_ms),
        }
    }

    fn session_event(
        &mut self,
        now: Now,
        session: openclaw_common::id::SessionId,
        event: SessionEvent,
        fx: &mut Effects,
    ) {
        match event {
            SessionEvent::Opened(hello) => self.opened(now, session, hello, fx),
            SessionEvent::Closed => self.closed(now, session),
            SessionEvent::Heartbeat(heartbeat) => self.heartbeat(now, session, &heartbeat, fx),
            SessionEvent::Updates { started, progress } => {
                self.updates(now, session, &started, progress, fx);
            }
            SessionEvent::Results(results) => self.results(now, session, results, fx),
            SessionEvent::Released { leases, reason } => {
                self.released(now, session, &leases, &reason, fx);
            }
            SessionEvent::Inventory(inventory) => self.inventory(now, session, *inventory, fx),
            SessionEvent::Leaving { .. } => self.leaving(now, session, fx),
            SessionEvent::Bye => self.bye(now, session, fx),
            SessionEvent::GoingToSleep { released } => {
                self.going_to_sleep(now, session, &released, fx);
            }
            SessionEvent::Pong { nonce } => self.pong(now, session, nonce, fx),
        }
    }

    /// Fires the deadlines that are due, then places what can be placed. Once per turn, after all waiting events.
    pub fn advance(&mut self, now: Now, fx: &mut Effects) {
        for batch in std::mem::take(&mut self.stale_batches) {
            fx.writes.push(Write::OfferDone(batch));
        }
        while let Some(timer) = self.timers.pop_due(now.mono) {
            match timer {
                Timer::Gate(task) => self.gate_opens(now, task),
                Timer::Queue(task) => self.queue_timeout(now, task, fx),
                Timer::Backstop(task) => self.backstop(now, task, fx),
                Timer::Node(node) => self.node_wakes(now, node, fx),
                Timer::Sweep => self.sweep(now, fx),
            }
        }
        self.dispatch(now, fx);
    }

    /// Looks at every node: what a deadline should have caught and did not is caught here.
    fn sweep(&mut self, now: Now, fx: &mut Effects) {
        for node in self.nodes.keys() {
            self.node_wakes(now, node, fx);
        }
        self.timers
            .arm(now.mono.plus(self.settings.sweep_ms), Timer::Sweep);
    }

    /// When `advance` is wanted next, if nothing happens before. A spurious call is harmless.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Changes when `view` would show something else.
    pub const fn view_version(&self) -> u64 {
        self.version
    }

    /// The cluster that this core decides for.
    pub const fn cluster_id(&self) -> ClusterId {
        self.cluster_id
    }

    /// The epoch of this run.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Tasks that are not final.
    pub fn live_tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Puts a task where it waits: behind its gate, or in the queue.
    pub(crate) fn enqueue(&mut self, key: TaskKey) {
        let task = &mut self.tasks[key];
        if task.queued || task.gated() {
            return;
        }
        task.queued = true;
        let (lane, class, seq) = (task.lane(), task.class, task.seq);
        let parked = self.classes[class].live == 0;
        if self.queue.insert(lane, class, seq, key, parked) {
            self.classes[class].lanes.insert(lane);
        }
    }

    /// Takes a task out of the queue, if it is there.
    pub(crate) fn dequeue(&mut self, key: TaskKey) {
        let task = &mut self.tasks[key];
        if !task.queued {
            return;
        }
        task.queued = false;
        let (lane, class, seq) = (task.lane(), task.class, task.seq);
        if self.queue.remove(lane, class, seq, key) {
            self.classes[class].lanes.remove(&lane);
        }
    }

    /// Brings everything that depends on a node's state up to date. To be called after each change of a node.
    pub(crate) fn touch_node(&mut self, key: NodeKey) {
        self.version += 1;
        let node = &mut self.nodes[key];
        let takes_work = node.takes_work();
        if takes_work != node.available {
            node.available = takes_work;
            let classes: Vec<ClassKey> = node.classes.iter().copied().collect();
            for class in classes {
                self.count_live(class, takes_work);
            }
        }
        self.nodes.reindex(key);
    }

    /// One more, or one less, of a class's nodes takes work; the first and the last one move the class.
    pub(crate) fn count_live(&mut self, key: ClassKey, more: bool) {
        let class = &mut self.classes[key];
        let before = class.live;
        class.live = if more {
            before + 1
        } else {
            before.saturating_sub(1)
        };
        if (before == 0) != (class.live == 0) {
            let parked = class.live == 0;
            for lane in &class.lanes {
                self.queue.park(*lane, key, parked);
            }
        }
    }

    /// Works out anew which classes a node could run.
    pub(crate) fn reclassify(&mut self, key: NodeKey) {
        for class_key in self.classes.keys() {
            let node = &mut self.nodes[key];
            let fits = node.eligible(&self.classes[class_key].req);
            let had = node.classes.contains(&class_key);
            if fits == had {
                continue;
            }
            let available = node.available;
            if fits {
                node.classes.insert(class_key);
                self.classes[class_key].nodes.insert(key);
            } else {
                node.classes.remove(&class_key);
                self.classes[class_key].nodes.remove(&key);
            }
            if available {
                self.count_live(class_key, fits);
            }
        }
        self.touch_node(key);
    }

    /// The class of these requirements; made when new.
    pub(crate) fn class_of(&mut self, req: crate::model::Requirements) -> ClassKey {
        if let Some(key) = self.classes.find(&req) {
            return key;
        }
        if self.classes.len() >= self.settings.max_classes {
            for gone in self.classes.purge() {
                for node in self.nodes.keys() {
                    self.nodes[node].classes.remove(&gone);
                }
            }
        }
        let nodes: BTreeSet<NodeKey> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.eligible(&req))
            .map(|(key, _)| key)
            .collect();
        let live = nodes
            .iter()
            .filter(|key| self.nodes[**key].available)
            .count();
        let class = self.classes.insert(req, nodes.clone(), live);
        for node in nodes {
            self.nodes[node].classes.insert(class);
        }
        class
    }

    /// Tells those who follow a task.
    pub(crate) fn notify(&self, key: TaskKey, code: ReasonCode, fx: &mut Effects) {
        let task = &self.tasks[key];
        self.notify_as(key, task.status(), code, fx);
    }

    /// Tells those who follow a task about a state that it is about to have.
    pub(crate) fn notify_as(
        &self,
        key: TaskKey,
        status: TaskStatus,
        code: ReasonCode,
        fx: &mut Effects,
    ) {
        let task = &self.tasks[key];
        let node = task
            .open
            .as_ref()
            .map(|attempt| Arc::clone(&self.nodes[attempt.node].name));
        fx.notices.push(Notice {
            task: task.id,
            status,
            code,
            attempt: task.latest_number(),
            node,
        });
    }
}
