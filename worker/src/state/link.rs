//! The relation to the coordinator: when to dial, what a new stream means, when a stream is good enough to start on.

use std::collections::VecDeque;
use std::sync::Arc;

use openclaw_common::backoff::{Backoff, scale, splitmix};
use openclaw_common::time::{Mono, Now};

use super::attempt::{Disk, Stage};
use super::desired::Following;
use super::machine::State;
use super::outbox::Outbox;
use super::verdict::Manner;
use super::{Closed, ClosedBy, Effects, Notice, Remembered, Welcome};

/// Longest delay between two tries.
const RETRY_CAP_MS: u64 = 15_000;
/// Longest delay between two tries when the versions do not fit.
const INCOMPATIBLE_CAP_MS: u64 = 300_000;
/// A stream that lived this long was a success: the next delays begin small again.
const LIVED_MS: u64 = 5_000;
/// A coordinator that said it goes away is given this long to close the stream.
const DRAIN_PATIENCE_MS: u64 = 5_000;
/// Heartbeats whose time is remembered until they are acknowledged.
const HEARTBEATS_REMEMBERED: usize = 64;

/// The stream, or the way to it.
#[derive(Debug)]
pub(super) enum Link {
    /// Nothing; dial at this time, or never again.
    Down { retry_at: Option<Mono> },
    /// A dial is under way; Hello was composed at this time, if it was.
    Dialing { hello_at: Option<Mono> },
    /// Welcome was received.
    Open(Session),
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Session {
    pub opened_at: Mono,
    /// When the youngest acknowledged sign of life was composed.
    pub vouched_at: Mono,
    pub heartbeat_at: Mono,
    /// Number of the last heartbeat composed.
    pub last_heartbeat: u64,
    /// Heartbeats composed and not acknowledged: number and time.
    pub heartbeats: VecDeque<(u64, Mono)>,
    pub seen_offer_seq: u64,
    /// The coordinator goes away: close at this time, and dial again this long after.
    pub drains: Option<(Mono, u64)>,
}

/// What Welcome sets, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub heartbeat: u64,
    pub suspect: u64,
    pub lease: u64,
    pub spread: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: 5_000,
            suspect: 15_000,
            lease: 90_000,
            spread: 0,
        }
    }
}

impl Session {
    fn acknowledged(&mut self, seq: u64) {
        while let Some((sent, at)) = self.heartbeats.front().copied() {
            if sent > seq {
                break;
            }
            // The time of composing, not of the answer: the coordinator heard of us no later than that.
            self.vouched_at = self.vouched_at.max(at);
            self.heartbeats.pop_front();
        }
    }

    pub(super) fn next_heartbeat(&mut self, now: Now) -> u64 {
        self.last_heartbeat += 1;
        if self.heartbeats.len() >= HEARTBEATS_REMEMBERED {
            self.heartbeats.pop_front();
        }
        self.heartbeats.push_back((self.last_heartbeat, now.mono));
        self.last_heartbeat
    }
}

impl State {
    pub(super) fn dial(&mut self, fx: &mut Effects) {
        self.link = Link::Dialing { hello_at: None };
        fx.connect = true;
    }

    /// A queued attempt may start: the stream is open, the coordinator knows that we live, and it wants work done.
    pub(super) fn may_start(&self, now: Now) -> bool {
        let Link::Open(session) = &self.link else {
            return false;
        };
        self.stop.is_none()
            && self.following.accept
            && now.mono.since(session.vouched_at) < self.timing.suspect
    }

    pub(super) fn heartbeat_acked(&mut self, seq: u64) {
        if let Link::Open(session) = &mut self.link {
            session.acknowledged(seq);
        }
    }

    pub(super) fn welcomed(&mut self, now: Now, welcome: Welcome, fx: &mut Effects) {
        let Link::Dialing { hello_at } = self.link else {
            return;
        };
        if self
            .remembered
            .is_some_and(|known| known.cluster == welcome.cluster && welcome.epoch < known.epoch)
        {
            return self.refuse_old_epoch(now, &welcome, fx);
        }
        self.change_cluster(&welcome, fx);
        self.timing = Timing {
            heartbeat: welcome.heartbeat_interval_ms.max(1),
            suspect: welcome.suspect_after_ms,
            lease: welcome.lease_ms,
            spread: welcome.reconnect_spread_ms,
        };
        self.link = Link::Open(Session {
            opened_at: now.mono,
            vouched_at: hello_at.unwrap_or(now.mono),
            heartbeat_at: now.mono.plus(self.timing.heartbeat),
            last_heartbeat: 0,
            heartbeats: VecDeque::new(),
            seen_offer_seq: 0,
            drains: None,
        });
        self.slept_ms = 0;
        fx.notices.push(Notice::Connected {
            node_id: welcome.node_id,
            cluster: welcome.cluster,
            cluster_name: welcome.cluster_name,
            epoch: welcome.epoch,
            session: welcome.session_id,
            build: welcome.build,
        });
        self.follow_level(now, welcome.desired, fx);
        for verdict in welcome.verdicts {
            self.judge(now, verdict, fx);
        }
        // What ended between Hello and Welcome was judged as running: its result is still to be told.
        self.send_unsent_results();
        if let Some(stop) = &self.stop {
            self.outbox.leaving = Some(stop.reason.clone());
            self.release_queued("the worker stops");
        }
    }

    /// Remembers the cluster and its epoch; ends and puts away everything that belongs to another one.
    fn change_cluster(&mut self, welcome: &Welcome, fx: &mut Effects) {
        let entered = Remembered {
            cluster: welcome.cluster,
            epoch: welcome.epoch,
        };
        let before = self.remembered.replace(entered);
        if before != Some(entered) {
            fx.remember = Some(entered);
        }
        let Some(before) = before.filter(|before| before.cluster != welcome.cluster) else {
            return;
        };
        self.following = Following::default();
        let (mut killed, mut results) = (0, 0);
        for lease in self.attempts.keys().copied().collect::<Vec<_>>() {
            match self
                .attempts
                .get_mut(&lease)
                .map(|attempt| &mut attempt.stage)
            {
                Some(Stage::Running(running)) => {
                    running.foreign = true;
                    killed += 1;
                    self.end_running(
                        lease,
                        Manner {
                            forget: true,
                            ..Manner::coordinator()
                        },
                        fx,
                    );
                }
                Some(Stage::Done(done)) => {
                    results += 1;
                    if done.disk == Disk::No {
                        fx.spool_writes.push(Arc::clone(&done.finished));
                    }
                    self.attempts.remove(&lease);
                }
                Some(Stage::Queued(_)) | None => self.drop_queued(lease),
            }
        }
        self.unspooled.clear();
        fx.spool_aside = Some(before.cluster);
        fx.notices.push(Notice::OtherCluster {
            before: before.cluster,
            now: welcome.cluster,
            killed,
            results,
        });
    }

    fn refuse_old_epoch(&mut self, now: Now, welcome: &Welcome, fx: &mut Effects) {
        let seen = self.remembered.map_or(0, |known| known.epoch);
        fx.notices.push(Notice::OldEpoch {
            cluster: welcome.cluster,
            epoch: welcome.epoch,
            seen,
        });
        fx.close = true;
        let detail = format!(
            "the coordinator's epoch {} is older than epoch {seen}, seen before",
            welcome.epoch
        );
        self.fell(
            now,
            &Closed {
                by: ClosedBy::Failure,
                detail,
            },
            fx,
        );
    }

    /// The stream is gone: nothing queued may start before it is judged again, results go to disk, dial later.
    pub(super) fn closed(&mut self, now: Now, closed: &Closed, fx: &mut Effects) {
        if !matches!(self.link, Link::Down { .. }) {
            self.fell(now, closed, fx);
        }
    }

    pub(super) fn fell(&mut self, now: Now, closed: &Closed, fx: &mut Effects) {
        let lost = std::mem::replace(&mut self.link, Link::Down { retry_at: None });
        self.outbox = Outbox::default();
        self.ready.clear();
        self.results_lost_their_stream(fx);
        self.stop_lost_its_stream();
        if let ClosedBy::Refusal(exit) = closed.by {
            self.never_reconnect(now, exit, &closed.detail, fx);
        }
        let delay = self
            .wants_stream()
            .then(|| self.retry_delay(now, closed.by, &lost));
        self.link = Link::Down {
            retry_at: delay.map(|delay| now.mono.plus(delay)),
        };
        if !self.has_said_goodbye() {
            fx.notices.push(Notice::Disconnected {
                detail: closed.detail.clone(),
                retry_in_ms: delay,
            });
        }
    }

    fn retry_delay(&mut self, now: Now, by: ClosedBy, lost: &Link) -> u64 {
        if let Link::Open(session) = lost {
            if now.mono.since(session.opened_at) >= LIVED_MS {
                self.failures = 0;
            }
            if let Some((_, come_back)) = session.drains {
                return come_back;
            }
        }
        let random = splitmix(&mut self.random);
        let tries = self.failures;
        self.failures = tries.saturating_add(1);
        match (by, tries) {
            (ClosedBy::Incompatible, _) => Backoff {
                base_ms: 1_000,
                cap_ms: INCOMPATIBLE_CAP_MS,
            }
            .delay_ms(tries, random),
            (_, 0) => scale(self.timing.spread, random),
            _ => {
                let cap_ms = RETRY_CAP_MS.min(self.timing.lease / 3);
                Backoff {
                    base_ms: 100,
                    cap_ms,
                }
                .delay_ms(tries - 1, random)
            }
        }
    }

    /// Slept, or the clock jumped: what was known of the stream is out of date.
    pub(super) fn resumed(&mut self, now: Now, gap_ms: u64, fx: &mut Effects) {
        self.slept_ms = self.slept_ms.saturating_add(gap_ms);
        self.failures = 0;
        fx.notices.push(Notice::Slept { gap_ms });
        self.redial(now, "the machine slept or its clock jumped", fx);
    }

    /// Drops the stream, or the dial, for a new one at once.
    fn redial(&mut self, now: Now, why: &str, fx: &mut Effects) {
        if !matches!(self.link, Link::Down { .. }) {
            fx.close = true;
            self.fell(
                now,
                &Closed {
                    by: ClosedBy::Failure,
                    detail: why.to_owned(),
                },
                fx,
            );
            self.failures = 0;
        }
        if self.wants_stream() {
            self.dial(fx);
        }
    }

    pub(super) fn draining(
        &mut self,
        now: Now,
        come_back_after_ms: u64,
        reason: String,
        fx: &mut Effects,
    ) {
        if let Link::Open(session) = &mut self.link {
            session.drains = Some((now.mono.plus(DRAIN_PATIENCE_MS), come_back_after_ms));
            fx.notices.push(Notice::CoordinatorDrains {
                reason,
                come_back_after_ms,
            });
        }
    }

    /// What the time alone changes about the stream.
    pub(super) fn link_due(&mut self, now: Now, fx: &mut Effects) {
        match &mut self.link {
            Link::Down { retry_at: Some(at) } if *at <= now.mono => self.dial(fx),
            Link::Open(session) => {
                if session.heartbeat_at <= now.mono {
                    // Missed ones are skipped: one heartbeat tells everything.
                    session.heartbeat_at = now.mono.plus(self.timing.heartbeat);
                    self.outbox.heartbeat = true;
                }
                if session.drains.is_some_and(|(by, _)| by <= now.mono) {
                    fx.close = true;
                    let detail = "the coordinator is going away".to_owned();
                    self.fell(
                        now,
                        &Closed {
                            by: ClosedBy::Failure,
                            detail,
                        },
                        fx,
                    );
                } else if now.mono.since(session.vouched_at) >= self.timing.lease {
                    self.redial(
                        now,
                        "no heartbeat was acknowledged for as long as a lease lasts",
                        fx,
                    );
                }
            }
            _ => {}
        }
    }
}
