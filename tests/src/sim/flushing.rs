//! From decisions to the disk, and from there to whoever waits.

use openclaw_common::time::Now;
use openclaw_coordinator::store::Batch;
use openclaw_core::effect::{Effects, Send};
use openclaw_core::record::Write;

use super::agenda::Step;
use super::bug::Bug;
use super::chaos::CrashPoint;
use super::coordinator::Pending;
use super::verdict::{Checked, broken};
use super::world::World;

impl World {
    /// Checks what the core wants and adds it to what is being collected.
    pub(crate) fn absorb(&mut self, now: Now, mut fx: Effects) -> Checked {
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        if let Err(why) = run.core.sanity_check() {
            return broken("core", why);
        }
        self.truth_decided(now, &fx)?;
        for (session, nonce) in fx.asks {
            self.carry_send(session, Send::Ping { nonce })?;
        }
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        let all = &mut run.gathering;
        all.fx.writes.append(&mut fx.writes);
        all.fx.replies.append(&mut fx.replies);
        all.fx.sends.append(&mut fx.sends);
        all.fx.closes.append(&mut fx.closes);
        all.fx.notices.append(&mut fx.notices);
        if all.cuts.last().copied().unwrap_or(0) < all.fx.writes.len() {
            all.cuts.push(all.fx.writes.len());
        }
        Ok(())
    }

    /// Hands what was collected to the store, or carries it out at once when there is nothing to make durable.
    pub(crate) fn launch(&mut self) -> Checked {
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        if run.flushing.is_some() || run.gathering.fx.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut run.gathering);
        if batch.fx.writes.is_empty() {
            return self.carry_out(batch.fx);
        }
        if self.bugged(Bug::ReplyBeforeFlush) {
            let replies = std::mem::take(&mut batch.fx.replies);
            self.carry_out(Effects {
                replies,
                ..Effects::default()
            })?;
        }
        if self.bugged(Bug::SendBeforeFlush) {
            let sends = std::mem::take(&mut batch.fx.sends);
            self.carry_out(Effects {
                sends,
                ..Effects::default()
            })?;
        }
        if let Some(run) = &mut self.coordinator.run {
            run.flushing = Some(batch);
        }
        let delay = self.rng.between(0, self.chaos.disk_ms);
        let life = self.coordinator.life;
        self.agenda
            .push(self.now + delay, &mut self.rng, Step::Flushed(life));
        Ok(())
    }

    /// The store makes the batch durable, or fails.
    pub(crate) fn flushed(&mut self, life: u64) -> Checked {
        if life != self.coordinator.life {
            return Ok(());
        }
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        let worth_tearing = run.flushing.as_ref().is_some_and(is_worth_tearing);
        if self.coordinator.armed == Some(CrashPoint::BeforeCommit) && worth_tearing {
            return self.crash_coordinator(false);
        }
        let Some(batch) = run.flushing.take() else {
            return Ok(());
        };
        let writes = Batch {
            cuts: inner_cuts(&batch),
            writes: batch.fx.writes,
        };
        run.seq += 1;
        match run.store.commit(run.epoch, run.seq, &writes) {
            Ok(()) => self.truth_durable(&writes.writes)?,
            Err(error) => {
                self.trace(format_args!("the commit fails: {error}"));
                self.reach("commit failed");
                self.truth_in_doubt(writes.writes);
                return self.end_run();
            }
        }
        if self.coordinator.armed == Some(CrashPoint::AfterCommit) {
            return self.crash_coordinator(false);
        }
        self.carry_out(Effects {
            writes: Vec::new(),
            ..batch.fx
        })?;
        self.launch()
    }
}

/// All cuts but the last, which is the end of the batch.
pub(crate) fn inner_cuts(batch: &Pending) -> Vec<usize> {
    let mut cuts = batch.cuts.clone();
    cuts.pop();
    cuts
}

/// Half of it would be half of a request, or of something as bad.
fn is_worth_tearing(batch: &Pending) -> bool {
    let submit = |write: &&Write| matches!(write, Write::Submit(_));
    batch.fx.writes.iter().filter(submit).count() > 1
}
