//! The state itself: what it remembers, and which rule answers which event.

use std::collections::{BTreeMap, VecDeque};

use openclaw_common::id::LeaseId;
use openclaw_common::time::{Mono, Now};

use super::attempt::{Attempt, Stage};
use super::desired::Following;
use super::link::{Link, Timing};
use super::outbox::Outbox;
use super::pools::Pools;
use super::stop::Stop;
use super::{Closed, ClosedBy, Effects, Event, Exit, Held, Notice, Remembered};
use crate::model::Demand;

/// What a worker is set to.
#[derive(Debug, Clone)]
pub struct Options {
    /// Source of all jitter.
    pub seed: u64,
    /// What it has to give.
    pub pools: Demand,
    /// Offers it queues beyond its free slots.
    pub prefetch: u32,
    /// How long running attempts may go on when it stops, in milliseconds.
    pub drain_timeout_ms: u64,
    /// What an earlier process knew of the cluster.
    pub remembered: Option<Remembered>,
}

/// A worker, pure.
#[derive(Debug)]
pub struct State {
    pub(super) options: Options,
    pub(super) random: u64,
    pub(super) remembered: Option<Remembered>,
    pub(super) link: Link,
    pub(super) timing: Timing,
    pub(super) following: Following,
    /// Tries since the last stream that lived.
    pub(super) failures: u32,
    pub(super) slept_ms: u64,
    /// Times that Hello was composed.
    pub(super) streams: u64,
    pub(super) attempts: BTreeMap<LeaseId, Attempt>,
    /// Queued attempts that may start, in the order of their offers.
    pub(super) ready: BTreeMap<u64, LeaseId>,
    pub(super) next_order: u64,
    /// Number of queued attempts.
    pub(super) queued: usize,
    /// The oldest ready attempt that did not fit, and how many have overtaken it.
    pub(super) overtaken: (u64, u32),
    pub(super) pools: Pools,
    /// Results that go to disk at these times unless acknowledged before, oldest first.
    pub(super) unspooled: VecDeque<(Mono, LeaseId)>,
    /// Results that could not be written, to be tried again at these times.
    pub(super) respool: VecDeque<(Mono, LeaseId)>,
    pub(super) outbox: Outbox,
    pub(super) stop: Option<Stop>,
}

impl State {
    /// A worker that holds nothing and wants to dial at once.
    pub fn new(options: Options) -> Self {
        Self {
            random: options.seed,
            remembered: options.remembered,
            link: Link::Down {
                retry_at: Some(Mono(0)),
            },
            timing: Timing::default(),
            following: Following::default(),
            failures: 0,
            slept_ms: 0,
            streams: 0,
            attempts: BTreeMap::new(),
            ready: BTreeMap::new(),
            next_order: 0,
            queued: 0,
            overtaken: (0, 0),
            pools: Pools::new(options.pools.clone()),
            unspooled: VecDeque::new(),
            respool: VecDeque::new(),
            outbox: Outbox::default(),
            stop: None,
            options,
        }
    }

    /// Takes in one event at `now` and adds what follows from it to `fx`.
    pub fn handle(&mut self, now: Now, event: Event, fx: &mut Effects) {
        match event {
            Event::Welcomed(welcome) => self.welcomed(now, *welcome, fx),
            Event::Closed(closed) => self.closed(now, &closed, fx),
            Event::Offers { seq, offers, more } => self.offered(now, seq, offers, more, fx),
            Event::Verdicts(verdicts) => verdicts
                .into_iter()
                .for_each(|verdict| self.judge(now, verdict, fx)),
            Event::ResultAcks(leases) => leases
                .into_iter()
                .for_each(|lease| self.result_acked(lease, fx)),
            Event::Revoked(leases) => leases.into_iter().for_each(|lease| self.revoked(lease)),
            Event::Desired(desired) => self.desired(now, desired, fx),
            Event::LeavingAcked { last_offer_seq } => self.leaving_acked(last_offer_seq),
            Event::Draining {
                come_back_after_ms,
                reason,
            } => self.draining(now, come_back_after_ms, reason, fx),
            Event::Superseded { by } => self.superseded(now, by, fx),
            Event::Pinged { nonce } => self.outbox.pong = Some(nonce),
            Event::HeartbeatAcked { seq } => self.heartbeat_acked(seq),
            Event::Started(lease) => self.started(lease),
            Event::Progressed(lease, progress) => self.progressed(lease, progress),
            Event::Ended(lease, ended) => self.ended(now, lease, *ended, fx),
            Event::Wedged(lease) => self.wedged(lease, fx),
            Event::Tick => self.due(now, fx),
            Event::Resumed { gap_ms } => self.resumed(now, gap_ms, fx),
            Event::StopAsked {
                now: at_once,
                reason,
            } => self.stop_asked(now, at_once, reason, fx),
            Event::InventoryChanged => self.outbox.inventory = true,
            Event::SpoolLoaded(results) => self.spool_loaded(results),
            Event::Spooled(lease) => self.spooled(lease),
            Event::SpoolFailed(lease) => self.spool_failed(now, lease),
        }
        self.start_what_fits(now, fx);
        self.settle_stop(now, fx);
    }

    fn due(&mut self, now: Now, fx: &mut Effects) {
        self.link_due(now, fx);
        self.spool_due(now, fx);
        if self.following.hand_back_at.is_some_and(|at| at <= now.mono) {
            self.following.hand_back_at = None;
            self.hand_back_all(false, fx);
        }
    }

    fn superseded(&mut self, now: Now, by: String, fx: &mut Effects) {
        let detail = format!("superseded by {by}");
        fx.notices.push(Notice::Superseded { by });
        fx.close = true;
        self.fell(
            now,
            &Closed {
                by: ClosedBy::Refusal(Exit::IdentityTaken),
                detail,
            },
            fx,
        );
    }

    /// Every attempt that a heartbeat would list now, in order of leases.
    pub fn held(&self) -> Vec<Held> {
        super::attempt::held(&self.attempts)
    }

    /// Attempts that the executor has, wedged ones and those of former clusters included.
    pub fn executing(&self) -> impl Iterator<Item = LeaseId> + '_ {
        let running = |(lease, attempt): (&LeaseId, &Attempt)| {
            matches!(attempt.stage, Stage::Running(_)).then_some(*lease)
        };
        self.attempts.iter().filter_map(running)
    }

    /// A stream is open: Welcome was received and the end was not.
    pub fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// It waits for a dial, or for the answer to its Hello.
    pub fn is_dialing(&self) -> bool {
        matches!(self.link, Link::Dialing { .. })
    }

    /// What is taken of the pools now.
    pub fn used(&self) -> &Demand {
        self.pools.used()
    }

    /// Checks every index against what it stands for; the error names the first that is wrong.
    pub fn check(&self) -> Result<(), String> {
        let mut pools = Pools::new(self.pools.total().clone());
        let mut queued = 0;
        for (lease, attempt) in &self.attempts {
            match &attempt.stage {
                Stage::Running(running) => pools.take(&running.demand),
                Stage::Queued(waiting) => {
                    queued += 1;
                    let ready = self.ready.get(&waiting.order);
                    if ready.is_some_and(|other| other != lease) {
                        return Err(format!(
                            "{lease} shares its place in the queue with {ready:?}"
                        ));
                    }
                }
                Stage::Done(_) => {}
            }
        }
        if pools.used() != self.pools.used() {
            return Err(format!(
                "taken {:?}, but running attempts take {:?}",
                self.pools.used(),
                pools.used()
            ));
        }
        if let Some(why) = Pools::new(self.pools.total().clone()).never_fits(self.pools.used()) {
            return Err(format!("more runs than fits: {why}"));
        }
        if queued != self.queued {
            return Err(format!(
                "{queued} attempts are queued, counted {}",
                self.queued
            ));
        }
        let waits = |lease: &LeaseId| {
            matches!(
                self.attempts.get(lease),
                Some(Attempt {
                    stage: Stage::Queued(_),
                    ..
                })
            )
        };
        match self.ready.values().find(|lease| !waits(lease)) {
            Some(lease) => Err(format!("{lease} is ready and not queued")),
            None if !self.is_open() && !self.ready.is_empty() => {
                Err("ready without a stream".to_owned())
            }
            None => Ok(()),
        }
    }
}
