//! What the core hears, and what it wants: kept beside the truth before anything is durable.

use openclaw_common::id::{LeaseId, SessionId};
use openclaw_common::time::Now;
use openclaw_core::effect::{Effects, Send};
use openclaw_core::event::SessionEvent;
use openclaw_core::record::Write;

use super::super::verdict::Checked;
use super::super::world::World;

impl World {
    pub(crate) fn lease_ms(&self) -> u64 {
        self.coordinator.settings.lease_ms
    }

    /// An event is about to reach the core.
    pub(crate) fn truth_hears(&mut self, now: Now, session: SessionId, event: &SessionEvent) {
        let until = now.mono.plus(self.lease_ms());
        match event {
            SessionEvent::Opened(hello) => {
                let held = hello.held.iter().map(|held| held.lease).collect();
                self.truth.introduced(session, &hello.uid, held);
            }
            SessionEvent::Heartbeat(beat) if self.truth.is_welcomed(session) => {
                let held: Vec<LeaseId> = beat.held.iter().map(|held| held.lease).collect();
                self.reach_orphans(now, &held);
                self.truth.renew(&held, until);
            }
            SessionEvent::Results(results) if self.truth.is_welcomed(session) => {
                for result in results {
                    if !self.truth.is_latest(result.lease) {
                        self.reach("stale result");
                    }
                    if let Some(known) = self.truth.leases.get_mut(&result.lease) {
                        known.told = true;
                    }
                }
            }
            SessionEvent::Closed => self.truth.parted(session),
            _ => {}
        }
    }

    /// The coordinator itself stood still: every lease that had not run out before begins anew.
    pub(crate) fn truth_stalled(&mut self, last: Now, now: Now) {
        let until = now.mono.plus(self.lease_ms());
        for known in self.truth.leases.values_mut() {
            if known.until > last.mono {
                known.until = known.until.max(until);
            }
        }
    }

    /// The core has decided something; nothing of it is durable yet.
    pub(crate) fn truth_decided(&mut self, now: Now, fx: &Effects) -> Checked {
        for (session, send) in &fx.sends {
            if let Send::Welcome(_) = send {
                let until = now.mono.plus(self.lease_ms());
                let held = self.truth.held_at_hello(*session);
                self.reach_orphans(now, &held);
                self.truth.welcome(*session, until);
            }
        }
        for (session, _) in &fx.closes {
            self.truth.parted(*session);
        }
        for write in &fx.writes {
            match write {
                Write::Offer(row) => self.offer_decided(now, row)?,
                Write::State(row) => self.state_decided(now, row)?,
                Write::Final(row) => self.final_decided(now, row)?,
                Write::Submit(_) | Write::OfferDone(_) | Write::Node(_) => {}
            }
        }
        Ok(())
    }

    /// Attempts whose leases had run out are taken back when their node reports before they are placed again.
    fn reach_orphans(&mut self, now: Now, held: &[LeaseId]) {
        let orphan = |lease: &LeaseId| self.truth.has_run_out(*lease, now.mono);
        if held.iter().any(orphan) {
            self.reach("orphan taken back");
        }
    }
}
