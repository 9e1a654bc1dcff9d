//! A known node: who it is, what it can run, what it runs, and whether it takes work.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::SessionId;
use openclaw_common::status::NodeStatus;
use openclaw_common::time::{Mono, Wall};

use crate::arena::{ClassKey, NodeKey, Slab, TaskKey};
use crate::effect::Desired;
use crate::model::{Facts, Hello, Inventory, Load, Pools, Requirements};
use crate::record::NodeRow;

/// Room that a node must have to be looked at: half a slot, the least that a task takes.
const LEAST_MILLI: u64 = 500;

/// How much work a worker may have waiting, in milliseconds: enough to hide the way to the coordinator and back.
const AHEAD_MS: u64 = 100;

/// A known node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) uid: Box<str>,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) process_id: Arc<str>,
    pub(crate) pid: u32,
    /// Number of the last welcomed stream of that process, as the worker counts; 0: not told.
    pub(crate) stream: u64,
    pub(crate) build: Box<str>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) inventory: Arc<Inventory>,
    /// Skills that could not be started here since they were advertised.
    pub(crate) broken: BTreeMap<Box<str>, String>,
    pub(crate) load: Load,
    pub(crate) blocked_milli: u64,
    pub(crate) paused: Option<Wall>,
    pub(crate) asleep: Option<Wall>,
    pub(crate) leaving: Option<Wall>,
    pub(crate) suspect: Option<Wall>,
    pub(crate) offline: Option<Wall>,
    pub(crate) incompatible: Option<(Wall, String)>,
    pub(crate) desired: Desired,
    pub(crate) session: Option<Session>,
    pub(crate) challenger: Option<Challenger>,
    /// What its attempts take, orphans included.
    pub(crate) used: Pools,
    pub(crate) attempts: BTreeSet<TaskKey>,
    /// Classes it could run.
    pub(crate) classes: BTreeSet<ClassKey>,
    pub(crate) registered: Wall,
    pub(crate) last_seen: Wall,
    pub(crate) last_written: Wall,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) run_ms: u64,
    /// Microseconds that attempts run here, a moving mean of those that ended well; `None` before the first.
    pub(crate) pace_us: Option<u64>,
    /// It takes work; what `Class::live` counts.
    pub(crate) available: bool,
    /// Its place in the index of nodes with room.
    pub(crate) place: Option<Place>,
    /// When it is to be looked at.
    pub(crate) wake: Option<Mono>,
}

/// Fewest running first, then most free.
pub(crate) type Place = (usize, Reverse<u64>, NodeKey);

/// The stream that a node is connected by.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) protocol: u32,
    pub(crate) heartbeat_ms: u64,
    /// Number of the last offer batch.
    pub(crate) offer_seq: u64,
    pub(crate) opened: Mono,
    pub(crate) last_heard: Mono,
}

/// Another process that wants the identity, while the connected one is asked for a sign of life.
#[derive(Debug, Clone)]
pub(crate) struct Challenger {
    pub(crate) session: SessionId,
    pub(crate) hello: Box<Hello>,
    pub(crate) due: Mono,
    pub(crate) nonce: u64,
}

impl Node {
    pub(crate) fn from_row(row: NodeRow) -> Self {
        Self {
            offline: Some(row.last_seen),
            last_written: row.last_seen,
            name: row.name,
            uid: row.uid,
            secret_hash: row.secret_hash,
            process_id: row.process_id,
            pid: 0,
            stream: 0,
            build: row.build,
            facts: Arc::new(row.facts),
            inventory: row.inventory,
            broken: BTreeMap::new(),
            load: Load::default(),
            blocked_milli: 0,
            paused: None,
            asleep: None,
            leaving: None,
            suspect: None,
            incompatible: None,
            desired: Desired {
                generation: 1,
                accept: true,
                drain_deadline_ms: 0,
            },
            session: None,
            challenger: None,
            used: Pools::default(),
            attempts: BTreeSet::new(),
            classes: BTreeSet::new(),
            registered: row.registered,
            last_seen: row.last_seen,
            succeeded: row.succeeded,
            failed: row.failed,
            run_ms: row.run_ms,
            pace_us: None,
            available: false,
            place: None,
            wake: None,
        }
    }

    pub(crate) fn row(&self) -> NodeRow {
        NodeRow {
            name: Arc::clone(&self.name),
            uid: self.uid.clone(),
            secret_hash: self.secret_hash,
            process_id: Arc::clone(&self.process_id),
            build: self.build.clone(),
            facts: Facts::clone(&self.facts),
            inventory: Arc::clone(&self.inventory),
            registered: self.registered,
            last_seen: self.last_seen,
            succeeded: self.succeeded,
            failed: self.failed,
            run_ms: self.run_ms,
        }
    }

    /// Connected, heard of, and wanted: it may be given work.
    pub(crate) fn takes_work(&self) -> bool {
        self.session.is_some() && self.holds_back().is_none()
    }

    /// What keeps new work away from a connected node.
    fn holds_back(&self) -> Option<(ReasonCode, String)> {
        if let Some((_, why)) = &self.incompatible {
            return Some((ReasonCode::Version, why.clone()));
        }
        if self.asleep.is_some() {
            return Some((
                ReasonCode::NodeAsleep,
                "announced sleep; its tasks wait for it".to_owned(),
            ));
        }
        if self.suspect.is_some() {
            return Some((
                ReasonCode::NodeSuspect,
                "missed three heartbeats".to_owned(),
            ));
        }
        if self.paused.is_some() {
            return Some((ReasonCode::Paused, "paused by its owner".to_owned()));
        }
        if self.leaving.is_some() {
            return Some((ReasonCode::Cordoned, "its worker is stopping".to_owned()));
        }
        if !self.desired.accept {
            return Some((
                ReasonCode::Cordoned,
                "new work is kept away from it".to_owned(),
            ));
        }
        if self.blocked_milli >= self.inventory.pools.slots_milli && self.blocked_milli > 0 {
            let why = "every slot is blocked by a process that cannot be ended".to_owned();
            return Some((ReasonCode::NodeError, why));
        }
        None
    }

    /// Slots for offers, those that queue at the worker included, in thousandths.
    fn slots_with_prefetch(&self) -> u64 {
        self.slots() + self.prefetch() * 1_000
    }

    /// Offers that it may queue now: as many as it ends in `AHEAD_MS`, at most what its worker allows. Nothing is
    /// queued behind work of unknown length.
    pub(crate) fn prefetch(&self) -> u64 {
        let allowed = u64::from(self.inventory.prefetch);
        let Some(pace_us) = self.pace_us else {
            return 0;
        };
        let at_once = (self.slots() / 1_000).max(1);
        let ahead = (AHEAD_MS * 1_000 * at_once).checked_div(pace_us);
        ahead.map_or(allowed, |ahead| ahead.min(allowed))
    }

    /// An attempt ended well after so long.
    pub(crate) fn learn_pace(&mut self, run_ms: u64) {
        let took = run_ms.saturating_mul(1_000);
        self.pace_us = Some(self.pace_us.map_or(took, |pace| pace - pace / 8 + took / 8));
    }

    /// It holds more than it can run at once.
    pub(crate) fn overbooked(&self) -> bool {
        self.session.is_some() && self.used.slots_milli > self.slots()
    }

    /// Slots that can run something, in thousandths.
    pub(crate) fn slots(&self) -> u64 {
        self.inventory
            .pools
            .slots_milli
            .saturating_sub(self.blocked_milli)
    }

    pub(crate) fn free_slots(&self) -> u64 {
        self.slots().saturating_sub(self.used.slots_milli)
    }

    /// Where it stands among nodes with room; `None` without room.
    pub(crate) fn place_of(&self, key: NodeKey) -> Option<Place> {
        let room = self
            .slots_with_prefetch()
            .saturating_sub(self.used.slots_milli);
        (self.available && room >= LEAST_MILLI)
            .then(|| (self.attempts.len(), Reverse(self.free_slots()), key))
    }

    /// Whether one more attempt of this demand could start at once.
    pub(crate) fn fits(&self, demand: &Pools) -> bool {
        demand.slots_milli <= self.free_slots() && self.other_pools_fit(demand)
    }

    /// Whether one more attempt of this demand may wait at the worker.
    pub(crate) fn may_queue(&self, demand: &Pools) -> bool {
        self.prefetch() > 0
            && self.used.slots_milli + demand.slots_milli <= self.slots_with_prefetch()
            && self.other_pools_fit(demand)
    }

    fn other_pools_fit(&self, demand: &Pools) -> bool {
        self.inventory.pools.short_of(&self.used, demand).is_none()
    }

    /// Whether it could run the class, were it connected and free.
    pub(crate) fn eligible(&self, req: &Requirements) -> bool {
        self.misfit(req).is_none()
    }

    /// The first hard requirement that it does not meet.
    pub(crate) fn misfit(&self, req: &Requirements) -> Option<(ReasonCode, String)> {
        if let Some(node) = &req.node
            && **node != *self.name
        {
            return Some((
                ReasonCode::TagMismatch,
                format!("the task asks for node {node}"),
            ));
        }
        if let Some(missing) = self.missing_skill(req) {
            return Some(missing);
        }
        if req.command && !self.inventory.allow_commands {
            let why = "its owner does not allow commands (worker.allow_commands)".to_owned();
            return Some((ReasonCode::SkillIneligible, why));
        }
        let tag = req
            .tags
            .iter()
            .find(|tag| self.inventory.tags.binary_search(tag).is_err());
        if let Some(tag) = tag {
            return Some((ReasonCode::TagMismatch, format!("has no tag {tag}")));
        }
        if !self.inventory.pools.could_hold(&req.demand) {
            let short = self
                .inventory
                .pools
                .short_of(&Pools::default(), &req.demand);
            let why = short.unwrap_or_else(|| "has too few slots".to_owned());
            return Some((ReasonCode::Resources, format!("too small: {why}")));
        }
        None
    }

    fn missing_skill(&self, req: &Requirements) -> Option<(ReasonCode, String)> {
        req.skills.iter().find_map(|wanted| {
            let Some(skill) = self.inventory.skills.get(&wanted.name) else {
                return Some((
                    ReasonCode::NoNodeWithSkill,
                    format!("does not have skill {}", wanted.name),
                ));
            };
            if let Some(why) = self.broken.get(&wanted.name) {
                return Some((ReasonCode::SkillIneligible, why.clone()));
            }
            if !skill.eligible {
                let why = skill.reasons.join("; ");
                return Some((ReasonCode::SkillIneligible, why));
            }
            if !wanted.accepts(&skill.version) {
                let why = format!(
                    "has {} {}, the task asks for {wanted}",
                    skill.name, skill.version
                );
                return Some((ReasonCode::SkillIneligible, why));
            }
            None
        })
    }

    /// Everything that holds back a task of this class here, hardest first; empty: nothing.
    pub(crate) fn reasons(&self, req: &Requirements) -> Vec<(ReasonCode, String)> {
        let mut reasons: Vec<(ReasonCode, String)> = self.misfit(req).into_iter().collect();
        if self.session.is_none() {
            if let Some((_, why)) = &self.incompatible {
                reasons.push((ReasonCode::Version, why.clone()));
            } else if self.asleep.is_some() {
                reasons.push((
                    ReasonCode::NodeAsleep,
                    "asleep; its tasks wait for it".to_owned(),
                ));
            } else {
                reasons.push((ReasonCode::NodeOffline, "not connected".to_owned()));
            }
        } else if let Some(reason) = self.holds_back() {
            reasons.push(reason);
        }
        if reasons.is_empty() && !self.fits(&req.demand) {
            let slots = self.slots();
            match self.inventory.pools.short_of(&self.used, &req.demand) {
                _ if req.demand.slots_milli > self.free_slots() => {
                    let why = format!("all {} slots are taken", slots / 1_000);
                    reasons.push((ReasonCode::NodeBusy, why));
                }
                Some(short) => reasons.push((ReasonCode::Resources, short)),
                None => {}
            }
        }
        reasons
    }

    /// The public state.
    pub(crate) fn status(&self) -> NodeStatus {
        if self.incompatible.is_some() {
            return NodeStatus::Error;
        }
        if self.session.is_none() {
            return NodeStatus::Offline;
        }
        // A process that cannot be ended needs somebody's attention, even where other slots go on working.
        if self.blocked_milli > 0 {
            return NodeStatus::Error;
        }
        match self.holds_back() {
            Some((ReasonCode::Paused | ReasonCode::Cordoned, _)) => NodeStatus::Maintenance,
            _ if self.free_slots() < LEAST_MILLI => NodeStatus::Busy,
            _ => NodeStatus::Online,
        }
    }

    /// Words beside the state, with since-times.
    pub(crate) fn flags(&self) -> BTreeMap<&'static str, Wall> {
        let mut flags = BTreeMap::new();
        let mut flag = |word, since: Option<Wall>| {
            if let Some(since) = since {
                flags.insert(word, since);
            }
        };
        flag("suspect", self.suspect);
        flag("asleep", self.asleep);
        flag("paused", self.paused);
        flag("leaving", self.leaving);
        flag("offline", self.offline.filter(|_| self.session.is_none()));
        flag(
            "incompatible",
            self.incompatible.as_ref().map(|(since, _)| *since),
        );
        flag(
            "blocked",
            (self.blocked_milli > 0).then_some(self.last_seen),
        );
        flags
    }
}

/// All known nodes.
#[derive(Debug, Clone)]
pub(crate) struct Nodes {
    slab: Slab<NodeKey, Node>,
    pub(crate) by_name: BTreeMap<Arc<str>, NodeKey>,
    pub(crate) by_uid: BTreeMap<Box<str>, NodeKey>,
    pub(crate) by_session: BTreeMap<SessionId, NodeKey>,
    /// Nodes with room.
    pub(crate) free: BTreeSet<Place>,
    /// Nodes that hold more than they can run at once.
    pub(crate) overbooked: BTreeSet<NodeKey>,
}

impl Nodes {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            by_name: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            by_session: BTreeMap::new(),
            free: BTreeSet::new(),
            overbooked: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn insert(&mut self, node: Node) -> NodeKey {
        let (name, uid) = (Arc::clone(&node.name), node.uid.clone());
        let key = self.slab.insert(node);
        self.by_name.insert(name, key);
        self.by_uid.insert(uid, key);
        key
    }

    pub(crate) fn get_mut(&mut self, key: NodeKey) -> Option<&mut Node> {
        self.slab.get_mut(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeKey, &Node)> {
        self.slab.iter()
    }

    pub(crate) fn keys(&self) -> Vec<NodeKey> {
        self.slab.keys()
    }

    /// The node of a stream, if the stream is still its own.
    pub(crate) fn of_session(&self, session: SessionId) -> Option<NodeKey> {
        let key = *self.by_session.get(&session)?;
        let own = self.slab[key].session.as_ref()?.id == session;
        own.then_some(key)
    }

    /// Brings the index of nodes with room up to date.
    pub(crate) fn reindex(&mut self, key: NodeKey) {
        let node = &mut self.slab[key];
        if node.overbooked() {
            self.overbooked.insert(key);
        } else {
            self.overbooked.remove(&key);
        }
        let place = node.place_of(key);
        if place == node.place {
            return;
        }
        if let Some(old) = node.place.take() {
            self.free.remove(&old);
        }
        if let Some(new) = place {
            self.free.insert(new);
        }
        node.place = place;
    }
}

impl std::ops::Index<NodeKey> for Nodes {
    type Output = Node;

    fn index(&self, key: NodeKey) -> &Node {
        &self.slab[key]
    }
}

impl std::ops::IndexMut<NodeKey> for Nodes {
    fn index_mut(&mut self, key: NodeKey) -> &mut Node {
        &mut self.slab[key]
    }
}
