//! Streams of workers: who may open one, what they are told, and what happens while they live.

use std::sync::Arc;

use openclaw_common::id::{LeaseId, SessionId};
use openclaw_common::time::Now;

use crate::arena::{NodeKey, TaskKey};
use crate::core::Core;
use crate::effect::{Close, Effects, Send, Verdict, Welcome};
use crate::lease::Comparison;
use crate::model::{Heartbeat, Hello, Inventory};
use crate::node::{Challenger, Node, Session};
use crate::record::Write;

/// Heartbeats that a node may miss before it is suspect.
const MISSED: u64 = 3;

/// Spread of first reconnects for each known worker, and its bound, in milliseconds.
const SPREAD_PER_WORKER_MS: u64 = 20;
const SPREAD_MAX_MS: u64 = 10_000;

impl Core {
    pub(crate) fn opened(
        &mut self,
        now: Now,
        session: SessionId,
        hello: Box<Hello>,
        fx: &mut Effects,
    ) {
        if self.is_outdated(&hello) {
            fx.closes.push((session, Close::Replaced));
            return;
        }
        match self.identify(now, session, &hello, fx) {
            Err(refusal) => fx.closes.push((session, Close::Refused(refusal))),
            Ok(None) => self.challenge(now, session, hello, fx),
            Ok(Some(key)) => self.welcome(now, key, session, *hello, fx),
        }
    }

    /// Another process is connected with this identity: it is asked for a sign of life.
    fn challenge(&mut self, now: Now, session: SessionId, hello: Box<Hello>, fx: &mut Effects) {
        let Some(key) = self.nodes.by_uid.get(&hello.uid).copied() else {
            return;
        };
        self.nonce += 1;
        let nonce = self.nonce;
        let node = &mut self.nodes[key];
        // A stream that has only just opened may not even have had its Welcome: nobody can answer on it yet.
        let fresh = node
            .session
            .as_ref()
            .map_or(now.mono, |own| own.opened.plus(MISSED * own.heartbeat_ms));
        let mut due = now.mono.plus(self.settings.takeover_ms).max(fresh);
        if let Some(former) = node.challenger.take() {
            if former.hello.process_id == hello.process_id {
                // It dials again while it waits; that does not make it wait longer.
                due = due.min(former.due);
            }
            fx.closes.push((former.session, Close::Replaced));
        }
        node.challenger = Some(Challenger {
            session,
            hello,
            due,
            nonce,
        });
        if let Some(connected) = &node.session {
            fx.asks.push((connected.id, nonce));
        }
        self.wake_node_by(key, due);
    }

    fn welcome(
        &mut self,
        now: Now,
        key: NodeKey,
        session: SessionId,
        hello: Hello,
        fx: &mut Effects,
    ) {
        let ours = hello.cluster_id.is_none_or(|id| id == self.cluster_id);
        let held = if ours { hello.held.clone() } else { Vec::new() };
        let heartbeat_ms = self.settings.heartbeat_for(hello.heartbeat_ms);
        let protocol = hello.protocol_max.min(crate::identity::PROTOCOL_MAX);
        let node = &mut self.nodes[key];
        node.process_id = Arc::from(&*hello.process_id);
        node.pid = hello.pid;
        node.stream = hello.stream;
        node.build = hello.build;
        node.facts = Arc::new(hello.facts);
        node.load = hello.load;
        node.blocked_milli = 0;
        node.broken.clear();
        node.inventory = Arc::new(hello.inventory);
        node.session = Some(Session {
            id: session,
            protocol,
            heartbeat_ms,
            offer_seq: 0,
            opened: now.mono,
            last_heard: now.mono,
        });
        (node.suspect, node.offline, node.asleep, node.leaving) = (None, None, None, None);
        (node.incompatible, node.paused) = (None, None);
        (node.last_seen, node.last_written) = (now.wall, now.wall);
        let row = node.row();
        fx.writes.push(Write::Node(Box::new(row)));
        self.nodes.by_session.insert(session, key);
        self.reclassify(key);
        let with = Comparison {
            held: &held,
            seen: None,
            session,
        };
        let verdicts = self.compare(now, key, &with, fx);
        self.wake_node_by(key, now.mono.plus(MISSED * heartbeat_ms));
        let spread = SPREAD_PER_WORKER_MS
            .saturating_mul(u64::try_from(self.nodes.len()).unwrap_or(u64::MAX));
        let node = &self.nodes[key];
        let welcome = Welcome {
            protocol,
            cluster_id: self.cluster_id,
            epoch: self.epoch,
            node: Arc::clone(&node.name),
            heartbeat_ms,
            suspect_ms: MISSED * heartbeat_ms,
            lease_ms: self.settings.lease_ms,
            reconnect_spread_ms: spread.min(SPREAD_MAX_MS),
            verdicts,
            desired: node.desired,
        };
        fx.sends.push((session, Send::Welcome(Box::new(welcome))));
        self.settle_challenger(now, key, fx);
    }

    /// A stream was welcomed while another one waited for the identity: an earlier one of the same process is of no
    /// use any more; another process waits on, for an answer or for the silence that makes this one suspect.
    fn settle_challenger(&mut self, now: Now, key: NodeKey, fx: &mut Effects) {
        let node = &mut self.nodes[key];
        let Some(mut other) = node.challenger.take() else {
            return;
        };
        if *other.hello.process_id == *node.process_id {
            fx.closes.push((other.session, Close::Replaced));
            return;
        }
        let Some(own) = &node.session else { return };
        fx.sends.push((own.id, Send::Ping { nonce: other.nonce }));
        other.due = now.mono.plus(MISSED * own.heartbeat_ms);
        let due = other.due;
        node.challenger = Some(other);
        self.wake_node_by(key, due);
    }

    /// A stream is gone. That ends no lease.
    pub(crate) fn closed(&mut self, now: Now, session: SessionId) {
        self.drop_challenger(session);
        let Some(key) = self.nodes.by_session.remove(&session) else {
            return;
        };
        let node = &mut self.nodes[key];
        if node.session.as_ref().is_none_or(|own| own.id != session) {
            return;
        }
        node.session = None;
        node.offline = Some(now.wall);
        if let Some(other) = &mut node.challenger {
            // Nobody is left to ask.
            other.due = now.mono;
        }
        self.touch_node(key);
        self.wake_node(now, key);
    }

    fn drop_challenger(&mut self, session: SessionId) {
        let holder = self
            .nodes
            .iter()
            .find(|(_, node)| {
                node.challenger
                    .as_ref()
                    .is_some_and(|other| other.session == session)
            })
            .map(|(key, _)| key);
        if let Some(key) = holder {
            self.nodes[key].challenger = None;
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        now: Now,
        session: SessionId,
        heartbeat: &Heartbeat,
        fx: &mut Effects,
    ) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        let node = &mut self.nodes[key];
        if let Some(own) = &mut node.session {
            own.last_heard = now.mono;
        }
        node.load = heartbeat.load;
        node.blocked_milli = heartbeat.blocked_milli;
        node.suspect = None;
        node.asleep = None;
        node.paused = heartbeat.paused.then(|| node.paused.unwrap_or(now.wall));
        node.last_seen = now.wall;
        if now.wall.since(node.last_written) >= self.settings.last_seen_every_ms {
            node.last_written = now.wall;
            let row = node.row();
            fx.writes.push(Write::Node(Box::new(row)));
        }
        self.touch_node(key);
        let with = Comparison {
            held: &heartbeat.held,
            seen: Some((session, heartbeat.seen_offer_seq)),
            session,
        };
        let mut verdicts = self.compare(now, key, &with, fx);
        if self.nodes[key].wake.is_none() {
            // It was suspect, and is to be looked at again from now on.
            self.wake_node(now, key);
        }
        verdicts.retain(|(_, verdict)| *verdict != Verdict::Resume);
        if !verdicts.is_empty() {
            fx.sends.push((session, Send::Verdicts(verdicts)));
        }
        fx.sends
            .push((session, Send::HeartbeatAck { seq: heartbeat.seq }));
    }

    pub(crate) fn inventory(
        &mut self,
        now: Now,
        session: SessionId,
        inventory: Inventory,
        fx: &mut Effects,
    ) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        let node = &mut self.nodes[key];
        node.inventory = Arc::new(inventory);
        node.broken.clear();
        node.last_written = now.wall;
        let row = node.row();
        fx.writes.push(Write::Node(Box::new(row)));
        self.reclassify(key);
    }

    pub(crate) fn leaving(&mut self, now: Now, session: SessionId, fx: &mut Effects) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        let node = &mut self.nodes[key];
        node.leaving = node.leaving.or(Some(now.wall));
        let last_offer_seq = node.session.as_ref().map_or(0, |own| own.offer_seq);
        fx.sends
            .push((session, Send::LeavingAck { last_offer_seq }));
        self.touch_node(key);
    }

    /// The worker has stopped and holds nothing any more.
    pub(crate) fn bye(&mut self, now: Now, session: SessionId, fx: &mut Effects) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        let attempts: Vec<TaskKey> = self.nodes[key].attempts.iter().copied().collect();
        for task in attempts {
            self.missing(now, task, fx);
        }
        fx.closes.push((session, Close::Bye));
        self.closed(now, session);
    }

    /// The machine announces sleep: what runs there is waited for, as each task asks.
    pub(crate) fn going_to_sleep(
        &mut self,
        now: Now,
        session: SessionId,
        released: &[LeaseId],
        fx: &mut Effects,
    ) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        self.nodes[key].asleep = Some(now.wall);
        self.touch_node(key);
        self.released(now, session, released, "", fx);
        let hold = now.mono.plus(self.settings.sleep_hold_ms);
        let attempts: Vec<TaskKey> = self.nodes[key].attempts.iter().copied().collect();
        for task in attempts {
            let policy = self.tasks[task].policy;
            let holds =
                self.policies.get(policy).on_sleep == openclaw_common::status::OnSleep::Hold;
            if let Some(attempt) = self.tasks[task].open.as_mut().filter(|_| holds) {
                attempt.expires = attempt.expires.max(hold);
            }
        }
    }

    pub(crate) fn pong(&mut self, now: Now, session: SessionId, nonce: u64, fx: &mut Effects) {
        let Some(key) = self.nodes.of_session(session) else {
            return;
        };
        let node = &mut self.nodes[key];
        if let Some(own) = &mut node.session {
            own.last_heard = now.mono;
        }
        if node
            .challenger
            .as_ref()
            .is_some_and(|other| other.nonce == nonce)
            && let Some(other) = node.challenger.take()
        {
            let refusal = crate::identity::taken(node);
            fx.closes.push((other.session, Close::Refused(refusal)));
        }
    }

    /// Looks at a node because a deadline of it may be due: a takeover, silence, leases.
    pub(crate) fn node_wakes(&mut self, now: Now, key: NodeKey, fx: &mut Effects) {
        let Some(node) = self.nodes.get_mut(key) else {
            return;
        };
        node.wake = None;
        if node
            .challenger
            .as_ref()
            .is_some_and(|other| other.due <= now.mono)
        {
            self.take_over(now, key, fx);
        }
        self.check_silence(now, key);
        let expired: Vec<TaskKey> = self.nodes[key]
            .attempts
            .iter()
            .copied()
            .filter(|task| self.lease_end(*task).is_some_and(|end| end <= now.mono))
            .collect();
        for task in expired {
            self.orphan(now, task, fx);
        }
        self.wake_node(now, key);
    }

    fn take_over(&mut self, now: Now, key: NodeKey, fx: &mut Effects) {
        let Some(other) = self.nodes[key].challenger.take() else {
            return;
        };
        if let Some(old) = self.nodes[key].session.take() {
            let by = format!(
                "{} (process {})",
                other.hello.facts.hostname, other.hello.pid
            );
            fx.closes.push((old.id, Close::Superseded { by }));
            self.nodes.by_session.remove(&old.id);
        }
        self.welcome(now, key, other.session, *other.hello, fx);
    }

    fn check_silence(&mut self, now: Now, key: NodeKey) {
        let node = &mut self.nodes[key];
        let silent = node
            .session
            .as_ref()
            .is_some_and(|own| now.mono.since(own.last_heard) >= MISSED * own.heartbeat_ms);
        if silent && node.suspect.is_none() {
            node.suspect = Some(now.wall);
            self.touch_node(key);
        }
    }

    fn lease_end(&self, key: TaskKey) -> Option<openclaw_common::time::Mono> {
        let attempt = self.tasks[key]
            .open
            .as_ref()
            .filter(|attempt| !attempt.orphan)?;
        Some(attempt.expires)
    }

    /// Arms the node's own deadline: the earliest of takeover, silence and ends of leases.
    pub(crate) fn wake_node(&mut self, now: Now, key: NodeKey) {
        let node = &self.nodes[key];
        let takeover = node.challenger.as_ref().map(|other| other.due);
        let silence = node
            .session
            .as_ref()
            .filter(|_| node.suspect.is_none())
            .map(|own| own.last_heard.plus(MISSED * own.heartbeat_ms));
        let lease = node
            .attempts
            .iter()
            .filter_map(|task| self.lease_end(*task))
            .min();
        if let Some(due) = [takeover, silence, lease].into_iter().flatten().min() {
            self.wake_node_by(key, due.max(now.mono));
        }
    }

    /// Makes sure that the node is looked at by then.
    pub(crate) fn wake_node_by(&mut self, key: NodeKey, due: openclaw_common::time::Mono) {
        let node: &mut Node = &mut self.nodes[key];
        if node.wake.is_some_and(|wake| wake <= due) {
            return;
        }
        if let Some(old) = node.wake.replace(due) {
            self.timers.disarm(old, crate::timer::Timer::Node(key));
        }
        self.timers.arm(due, crate::timer::Timer::Node(key));
    }

    /// The coordinator itself stood still, so silence proves nothing: every lease and every silence begins anew.
    pub(crate) fn stalled(&mut self, now: Now, _gap_ms: u64) {
        let lease = now.mono.plus(self.settings.lease_ms);
        for key in self.nodes.keys() {
            let node = &mut self.nodes[key];
            if let Some(own) = &mut node.session {
                own.last_heard = now.mono;
            }
            for task in node.attempts.clone() {
                if let Some(attempt) = &mut self.tasks[task].open {
                    attempt.expires = attempt.expires.max(lease);
                }
            }
            self.wake_node(now, key);
        }
    }
}
