//! How a run of the coordinator begins and ends: opening the store, failing, dying at any instant.

use std::collections::BTreeMap;

use openclaw_coordinator::store::memory::Fault as DiskFault;
use openclaw_coordinator::store::{Batch, Start};
use openclaw_core::Core;

use super::agenda::Step;
use super::bug::Bug;
use super::coordinator::{Input, Pending, Run};
use super::flushing::inner_cuts;
use super::net::Side;
use super::verdict::{Checked, broken};
use super::world::World;

impl World {
    /// The process starts, or the store is opened again.
    pub(crate) fn open_store(&mut self, life: u64) -> Checked {
        if life != self.coordinator.life || self.coordinator.run.is_some() {
            return Ok(());
        }
        let now = self.coordinator_now();
        self.coordinator.up = true;
        let start = Start {
            wall: now.wall,
            random: u128::from(self.rng.bits()),
        };
        let opened = self.coordinator.disk.open(start).and_then(|mut store| {
            let loaded = store.load()?;
            Ok((store, loaded))
        });
        let (store, mut loaded) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.trace(format_args!("the store does not open: {error}"));
                {
                    self.reopen_later();
                    return Ok(());
                }
            }
        };
        let reader = store.reader();
        let epoch = loaded.epoch;
        self.trace(format_args!(
            "the store is open, epoch {epoch}, {} tasks",
            loaded.tasks.len()
        ));
        self.truth_restored(&loaded, &*reader, now)?;
        if self.bugged(Bug::EpochNotRaised) {
            loaded.epoch = *self.first_epoch.get_or_insert(loaded.epoch);
        }
        let core = Core::restore(
            self.coordinator.settings.clone(),
            loaded,
            now,
            self.rng.bits(),
        );
        if let Err(why) = core.sanity_check() {
            return broken("core", format!("after a restart: {why}"));
        }
        self.coordinator.tries = 0;
        self.coordinator.last = now;
        self.coordinator.run = Some(Run {
            core,
            store,
            reader,
            epoch,
            seq: 0,
            gathering: Pending::default(),
            flushing: None,
            sessions: BTreeMap::new(),
            waiters: BTreeMap::new(),
            replies: 0,
        });
        self.turn_by(self.now);
        Ok(())
    }

    pub(crate) fn reopen_later(&mut self) {
        let delay = (100 << self.coordinator.tries.min(6)).min(5_000);
        self.coordinator.tries += 1;
        let life = self.coordinator.life;
        self.agenda
            .push(self.now + delay, &mut self.rng, Step::Open(life));
    }

    /// The store has failed: this run of the core is over, the process is not.
    pub(crate) fn end_run(&mut self) -> Checked {
        self.coordinator.life += 1;
        self.coordinator.turn_at = None;
        let Some(run) = self.coordinator.run.take() else {
            return Ok(());
        };
        for waiter in run.waiters.into_values() {
            self.unanswered(waiter);
        }
        for conn in run.sessions.into_values() {
            self.send_away(conn)?;
        }
        for input in std::mem::take(&mut self.coordinator.lane) {
            self.refuse(&input)?;
        }
        self.reopen_later();
        Ok(())
    }

    /// The process is gone at this instant, with what was under way.
    pub(crate) fn crash_coordinator(&mut self, silence: bool) -> Checked {
        self.coordinator.armed = None;
        if !self.coordinator.up {
            return Ok(());
        }
        self.trace(format_args!("the coordinator dies"));
        self.coordinator.up = false;
        self.coordinator.life += 1;
        self.coordinator.turn_at = None;
        let mut waiters = Vec::new();
        for input in std::mem::take(&mut self.coordinator.lane) {
            if let Input::Request(_, waiter) = input {
                waiters.push(waiter);
            }
        }
        if let Some(mut run) = self.coordinator.run.take() {
            waiters.extend(std::mem::take(&mut run.waiters).into_values());
            self.break_batch_off(run);
        }
        self.coordinator.disk.crash();
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.vanish(conn, Side::Coordinator, silence)?;
        }
        for waiter in waiters {
            self.unanswered(waiter);
        }
        let at = self.now + self.rng.between(100, self.chaos.downtime_ms);
        let life = self.coordinator.life;
        self.agenda.push(at, &mut self.rng, Step::Open(life));
        Ok(())
    }

    /// The batch that was under way is durable, or torn, or never reached the disk.
    pub(crate) fn break_batch_off(&mut self, mut run: Run) {
        let Some(batch) = run.flushing.take() else {
            return;
        };
        let mut writes = Batch {
            cuts: inner_cuts(&batch),
            writes: batch.fx.writes,
        };
        let lot = self.rng.between(0, 3);
        if lot == 0 {
            return;
        }
        let torn = lot >= 2;
        if torn && self.bugged(Bug::TornBatchKept) {
            let kept = self.rng.below(writes.writes.len());
            writes.writes.truncate(kept);
            writes.cuts.clear();
        } else if torn {
            let rows = self.rng.below(writes.writes.len() * 2 + 1);
            self.coordinator.disk.fail_next(DiskFault::Tear(rows));
            self.reach("torn batch");
        }
        let outcome = run.store.commit(run.epoch, run.seq + 1, &writes);
        self.trace(format_args!("the batch under way: {}", outcome.is_ok()));
        self.truth_in_doubt(writes.writes);
    }
}
