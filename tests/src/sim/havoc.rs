//! Carrying out what goes wrong, and calming down.

use std::time::Duration;

use openclaw_worker::state::Event;

use super::agenda::Step;
use super::chaos::{Chaos, Fault, Which};
use super::clock::Clock;
use super::machine::Machine;
use super::net::Side;
use super::verdict::Checked;
use super::world::World;

impl World {
    /// Something breaks or heals.
    pub(crate) fn befall(&mut self, fault: Fault) -> Checked {
        if fault != Fault::Look {
            self.trace(format_args!("{fault:?}"));
        }
        match fault {
            Fault::Partition(machine, which, span) => {
                self.partition(machine, which, span);
                Ok(())
            }
            Fault::Hush(machine, span) => {
                let until = self.now + span;
                let blocked = &mut self.machines[machine].blocked;
                blocked.1 = blocked.1.max(until);
                Ok(())
            }
            Fault::Delay(machine, side, span) => {
                for conn in self.streams_of(machine) {
                    self.hold_up(conn, side, span);
                }
                Ok(())
            }
            Fault::KillWorker(machine, silence) => self.kill_machine(machine, silence),
            Fault::StopWorker(machine, now) => self.stop_worker(machine, now),
            Fault::Inventory(machine) => self.tell_machine(machine, Event::InventoryChanged),
            Fault::FreezeWorker(machine, span, asleep) => {
                self.freeze_worker(machine, span, asleep);
                Ok(())
            }
            Fault::ThawWorker(machine) => {
                self.machines[machine].clock.thaw(self.now);
                self.look_at_clocks(machine);
                Ok(())
            }
            Fault::JumpWorker(machine, ahead, back) => {
                self.machines[machine].clock.jump(ahead, back);
                self.look_at_clocks(machine);
                Ok(())
            }
            Fault::SpoolFails(machine, span) => {
                self.machines[machine].dir.failing_until = self.now + span;
                Ok(())
            }
            Fault::Copy(machine) => self.copy_identity(machine),
            Fault::Calm => {
                self.calm();
                Ok(())
            }
            Fault::Look => self.look(),
            other => self.befall_coordinator(other),
        }
    }

    fn befall_coordinator(&mut self, fault: Fault) -> Checked {
        match fault {
            Fault::KillCoordinator(silence) => self.crash_coordinator(silence),
            Fault::Arm(point) => {
                self.coordinator.armed = Some(point);
                Ok(())
            }
            Fault::FreezeCoordinator(span, asleep) => {
                self.freeze_coordinator(span, asleep);
                Ok(())
            }
            Fault::ThawCoordinator => {
                self.coordinator.clock.thaw(self.now);
                Ok(())
            }
            Fault::JumpCoordinator(ahead, back) => {
                self.coordinator.clock.jump(ahead, back);
                Ok(())
            }
            Fault::Disk(kind) => {
                self.coordinator.disk.fail_next(kind);
                Ok(())
            }
            Fault::DiskFull(span) => {
                self.coordinator.disk.set_full(true);
                let at = self.now + span;
                self.agenda
                    .push(at, &mut self.rng, Step::Chaos(Fault::DiskHeals));
                Ok(())
            }
            Fault::DiskHeals => {
                self.coordinator.disk.set_full(false);
                Ok(())
            }
            Fault::DiskSlow(span) => {
                self.chaos.disk_ms = span;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn partition(&mut self, machine: usize, which: Which, span: u64) {
        let until = self.now + span;
        let blocked = &mut self.machines[machine].blocked;
        if which != Which::ToCoordinator {
            blocked.0 = blocked.0.max(until);
        }
        if which != Which::ToWorker {
            blocked.1 = blocked.1.max(until);
        }
        for conn in self.streams_of(machine) {
            for side in [Side::Worker, Side::Coordinator] {
                self.notice_within(conn, side, span);
            }
        }
    }

    /// Pings go unanswered for so long; that may be enough for this side.
    pub(crate) fn notice_within(&mut self, conn: super::net::ConnId, side: Side, span: u64) {
        let after = self.rng.between(10_000, 25_000);
        if after < span && !self.rng.percent(self.chaos.half_open) {
            self.agenda
                .push(self.now + after, &mut self.rng, Step::Break(conn, side));
        }
    }

    pub(crate) fn kill_machine(&mut self, machine: usize, silence: bool) -> Checked {
        let Some(id) = self.machines[machine].proc else {
            return Ok(());
        };
        self.kill_worker(id, silence)?;
        if silence && self.rng.percent(50) {
            // Results are written without a sync: what was not on the platter is gone.
            let dir = &mut self.machines[machine].dir;
            let kept = self.rng.below(dir.spool.len() + 1);
            dir.spool = std::mem::take(&mut dir.spool)
                .into_iter()
                .take(kept)
                .collect();
        }
        let at = self.now + self.rng.between(100, 60_000);
        self.agenda.push(at, &mut self.rng, Step::Boot(machine));
        Ok(())
    }

    pub(crate) fn stop_worker(&mut self, machine: usize, now: bool) -> Checked {
        if let Some(proc) = self.machines[machine]
            .proc
            .and_then(|id| self.procs.get_mut(&id))
        {
            proc.stopping = true;
        }
        self.tell_machine(
            machine,
            Event::StopAsked {
                now,
                reason: "its owner stops it".to_owned(),
            },
        )
    }

    pub(crate) fn tell_machine(&mut self, machine: usize, event: Event) -> Checked {
        let awake = self.machines[machine].clock.frozen().is_none();
        match self.machines[machine].proc.filter(|_| awake) {
            Some(id) => self.tell(id, event),
            None => Ok(()),
        }
    }

    pub(crate) fn freeze_worker(&mut self, machine: usize, span: u64, asleep: bool) {
        // The clocks of one machine have to differ by more than a shell tolerates, or the sleep is none.
        let until = self.now + span;
        if span < 6_000 && asleep || !self.machines[machine].clock.freeze(self.now, until, asleep) {
            return;
        }
        self.agenda.push(
            until,
            &mut self.rng,
            Step::Chaos(Fault::ThawWorker(machine)),
        );
        for conn in self.streams_of(machine) {
            self.notice_within(conn, Side::Coordinator, span);
        }
    }

    /// The worker's timer looks at the clocks within a second.
    pub(crate) fn look_at_clocks(&mut self, machine: usize) {
        if let Some(id) = self.machines[machine].proc {
            let at = self.now + self.rng.between(0, 1_000);
            self.agenda.push(at, &mut self.rng, Step::Tick(id));
        }
    }

    pub(crate) fn freeze_coordinator(&mut self, span: u64, asleep: bool) {
        let until = self.now + span;
        if !self.coordinator.clock.freeze(self.now, until, asleep) {
            return;
        }
        self.agenda
            .push(until, &mut self.rng, Step::Chaos(Fault::ThawCoordinator));
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.notice_within(conn, Side::Worker, span);
        }
    }

    pub(crate) fn copy_identity(&mut self, machine: usize) -> Checked {
        let number = self.machines.len();
        let original = &self.machines[machine];
        let mut copy = Machine::new(number, Clock::off_by(self.rng.between(0, 1_000)));
        copy.latency = original.latency;
        copy.skills.clone_from(&original.skills);
        copy.tags.clone_from(&original.tags);
        copy.pools = original.pools.clone();
        copy.prefetch = original.prefetch;
        copy.dir = original.dir.clone();
        self.truth.copied.insert(copy.dir.uid.clone());
        self.machines.push(copy);
        self.boot(number)
    }

    /// Faults stop: from here on everything has to come to an end.
    pub(crate) fn calm(&mut self) {
        self.calm_since = Some(self.now);
        self.chaos = Chaos {
            cancels: 0,
            downtime_ms: 1_000,
            ..Chaos::none()
        };
        self.coordinator.armed = None;
        self.coordinator.disk.heal();
        self.coordinator.disk.set_slow(Duration::ZERO);
        self.coordinator.clock.thaw(self.now);
        let life = self.coordinator.life;
        self.agenda.push(self.now, &mut self.rng, Step::Open(life));
        for machine in 0..self.machines.len() {
            let host = &mut self.machines[machine];
            host.blocked = (0, 0);
            host.dir.failing_until = 0;
            if host.clock.frozen().is_some() {
                host.clock.thaw(self.now);
                self.look_at_clocks(machine);
            }
            self.agenda
                .push(self.now + 500, &mut self.rng, Step::Boot(machine));
        }
        let first = self.now + 5_000;
        self.agenda
            .push(first, &mut self.rng, Step::Chaos(Fault::Look));
    }
}
