//! What goes wrong in a run, and when. Each seed has its own selection of faults, so that each gets room to matter.

use std::time::Duration;

use openclaw_coordinator::store::memory::Fault as DiskFault;
use openclaw_worker::state::Event;

use super::agenda::Step;
use super::clock::Clock;
use super::machine::Machine;
use super::net::Side;
use super::rng::Rng;
use super::verdict::Checked;
use super::world::World;

/// At which step of a batch the coordinator dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// Before the store has it.
    BeforeCommit,
    /// When it is durable and nothing has left.
    AfterCommit,
    /// When some of its messages have left.
    BetweenSends,
}

/// Something breaks or heals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing gets through to a worker, to the coordinator, or either way, for so long.
    Partition(usize, Which, u64),
    /// A worker's process is killed; with true its machine loses power.
    KillWorker(usize, bool),
    /// Somebody asks a worker to stop, now or in peace.
    StopWorker(usize, bool),
    /// A worker looks at its skills again.
    Inventory(usize),
    /// A worker's machine sleeps, or its process is stopped, for so long.
    FreezeWorker(usize, u64, bool),
    ThawWorker(usize),
    /// A worker's wall clock is set ahead and back.
    JumpWorker(usize, u64, u64),
    /// A worker's disk refuses results for so long.
    SpoolFails(usize, u64),
    /// Somebody copies a worker's data directory to another machine and starts a worker there.
    Copy(usize),
    /// The coordinator's process is killed; with true its machine loses power.
    KillCoordinator(bool),
    /// The coordinator dies at such a step of its next batch.
    Arm(CrashPoint),
    FreezeCoordinator(u64, bool),
    ThawCoordinator,
    JumpCoordinator(u64, u64),
    /// The store's next step fails so.
    Disk(DiskFault),
    /// The store's disk is full for so long.
    DiskFull(u64),
    DiskHeals,
    /// The store's disk takes up to so long for a batch.
    DiskSlow(u64),
    /// Everything heals.
    Calm,
    /// Is everything done?
    Look,
}

/// Which way nothing gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Both,
    ToWorker,
    ToCoordinator,
}

/// How bad the ordinary course of things is.
#[derive(Debug, Clone)]
pub(crate) struct Chaos {
    /// Messages out of a hundred that take seconds.
    pub(crate) spikes: u64,
    /// The end of a stream may lose what was under way.
    pub(crate) lossy_ends: bool,
    /// Dead streams out of a hundred that one side never notices by pings.
    pub(crate) half_open: u64,
    /// Longest time of a batch on the store's disk.
    pub(crate) disk_ms: u64,
    /// Answers to clients out of a hundred that are lost.
    pub(crate) lost_answers: u64,
    /// Tasks out of a hundred that are cancelled.
    pub(crate) cancels: u64,
    /// Some programs cannot be ended for a while.
    pub(crate) wedges: bool,
    /// Longest time that the coordinator is down.
    pub(crate) downtime_ms: u64,
}

impl Chaos {
    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self {
            spikes: 0,
            lossy_ends: false,
            half_open: 0,
            disk_ms: 5,
            lost_answers: 0,
            cancels: 10,
            wedges: false,
            downtime_ms: 2_000,
        }
    }

    /// What this seed has in store.
    pub(crate) fn roll(rng: &mut Rng) -> Self {
        Self {
            spikes: rng.pick(&[0, 0, 2, 10]),
            lossy_ends: rng.percent(70),
            half_open: rng.pick(&[0, 20, 60]),
            disk_ms: rng.pick(&[0, 5, 50, 1_500]),
            lost_answers: rng.pick(&[0, 10, 40]),
            cancels: rng.pick(&[0, 10, 30]),
            wedges: rng.percent(20),
            downtime_ms: rng.pick(&[500, 5_000, 60_000, 200_000]),
        }
    }
}

/// Kinds of faults that a seed may have or not.
const KINDS: usize = 14;

/// Rolls the faults of a run: what, and when, up to `end`.
pub(crate) fn schedule(rng: &mut Rng, machines: usize, end: u64) -> Vec<(u64, Fault)> {
    let mut kinds: Vec<usize> = (0..KINDS).filter(|_| rng.percent(35)).collect();
    if kinds.is_empty() {
        kinds.push(rng.below(KINDS));
    }
    let count = rng.between(2, 14);
    let mut faults = Vec::new();
    for _ in 0..count {
        let at = rng.between(1_000, end.saturating_sub(1));
        let kind = rng.pick(&kinds);
        let machine = rng.below(machines);
        let left = end - at;
        faults.push((at, one(rng, kind, machine, left)));
    }
    if rng.percent(6) {
        let at = rng.between(end / 4, end / 2);
        faults.push((at, Fault::Copy(rng.below(machines))));
    }
    faults
}

fn one(rng: &mut Rng, kind: usize, machine: usize, left: u64) -> Fault {
    let span = |rng: &mut Rng, low: u64, high: u64| rng.between(low, high).min(left);
    let hours = |rng: &mut Rng| rng.between(6_000, 5 * 3_600_000);
    match kind {
        0 => {
            let which = rng.pick(&[
                Which::Both,
                Which::Both,
                Which::ToWorker,
                Which::ToCoordinator,
            ]);
            let longest = rng.pick(&[3_000, 30_000, 180_000]);
            Fault::Partition(machine, which, span(rng, 1_000, longest))
        }
        1 => Fault::KillWorker(machine, rng.percent(25)),
        2 => Fault::StopWorker(machine, rng.percent(30)),
        3 => Fault::FreezeWorker(machine, span(rng, 6_000, 400_000), true),
        4 => Fault::FreezeWorker(machine, span(rng, 1_000, 150_000), false),
        5 if rng.percent(50) => Fault::JumpWorker(machine, hours(rng), 0),
        5 => Fault::JumpWorker(machine, 0, hours(rng)),
        6 => Fault::SpoolFails(machine, span(rng, 1_000, 60_000)),
        7 => Fault::KillCoordinator(rng.percent(25)),
        8 => Fault::Arm(rng.pick(&[
            CrashPoint::BeforeCommit,
            CrashPoint::AfterCommit,
            CrashPoint::BetweenSends,
        ])),
        9 => Fault::FreezeCoordinator(span(rng, 3_000, 200_000), rng.percent(40)),
        10 if rng.percent(50) => Fault::JumpCoordinator(hours(rng), 0),
        10 => Fault::JumpCoordinator(0, hours(rng)),
        11 => {
            let rows = rng.below(12);
            Fault::Disk(rng.pick(&[
                DiskFault::Refuse,
                DiskFault::Full,
                DiskFault::LoseAck,
                DiskFault::Tear(rows),
            ]))
        }
        12 => Fault::DiskFull(span(rng, 500, 30_000)),
        13 if rng.percent(30) => Fault::Inventory(machine),
        _ => Fault::DiskSlow(rng.pick(&[200, 2_000, 8_000])),
    }
}

impl World {
    /// Something breaks or heals.
    pub(crate) fn befall(&mut self, fault: Fault) -> Checked {
        if fault != Fault::Look {
            self.trace(format_args!("{fault:?}"));
        }
        match fault {
            Fault::Partition(machine, which, span) => self.partition(machine, which, span),
            Fault::KillWorker(machine, silence) => self.kill_machine(machine, silence),
            Fault::StopWorker(machine, now) => self.stop_worker(machine, now),
            Fault::Inventory(machine) => self.tell_machine(machine, Event::InventoryChanged),
            Fault::FreezeWorker(machine, span, asleep) => self.freeze_worker(machine, span, asleep),
            Fault::ThawWorker(machine) => {
                self.machines[machine].clock.thaw(self.now);
                self.look_at_clocks(machine)
            }
            Fault::JumpWorker(machine, ahead, back) => {
                self.machines[machine].clock.jump(ahead, back);
                self.look_at_clocks(machine)
            }
            Fault::SpoolFails(machine, span) => {
                self.machines[machine].dir.failing_until = self.now + span;
                Ok(())
            }
            Fault::Copy(machine) => self.copy_identity(machine),
            Fault::KillCoordinator(silence) => self.crash_coordinator(silence),
            Fault::Arm(point) => {
                self.coordinator.armed = Some(point);
                Ok(())
            }
            Fault::FreezeCoordinator(span, asleep) => self.freeze_coordinator(span, asleep),
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
            Fault::Calm => self.calm(),
            Fault::Look => self.look(),
        }
    }

    fn partition(&mut self, machine: usize, which: Which, span: u64) -> Checked {
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
        Ok(())
    }

    /// Pings go unanswered for so long; that may be enough for this side.
    fn notice_within(&mut self, conn: super::net::ConnId, side: Side, span: u64) {
        let after = self.rng.between(10_000, 25_000);
        if after < span && !self.rng.percent(self.chaos.half_open) {
            self.agenda
                .push(self.now + after, &mut self.rng, Step::Break(conn, side));
        }
    }

    fn kill_machine(&mut self, machine: usize, silence: bool) -> Checked {
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

    fn stop_worker(&mut self, machine: usize, now: bool) -> Checked {
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

    fn tell_machine(&mut self, machine: usize, event: Event) -> Checked {
        let awake = self.machines[machine].clock.frozen().is_none();
        match self.machines[machine].proc.filter(|_| awake) {
            Some(id) => self.tell(id, event),
            None => Ok(()),
        }
    }

    fn freeze_worker(&mut self, machine: usize, span: u64, asleep: bool) -> Checked {
        // The clocks of one machine have to differ by more than a shell tolerates, or the sleep is none.
        let until = self.now + span;
        if span < 6_000 && asleep || !self.machines[machine].clock.freeze(self.now, until, asleep) {
            return Ok(());
        }
        self.agenda.push(
            until,
            &mut self.rng,
            Step::Chaos(Fault::ThawWorker(machine)),
        );
        for conn in self.streams_of(machine) {
            self.notice_within(conn, Side::Coordinator, span);
        }
        Ok(())
    }

    /// The worker's timer looks at the clocks within a second.
    fn look_at_clocks(&mut self, machine: usize) -> Checked {
        if let Some(id) = self.machines[machine].proc {
            let at = self.now + self.rng.between(0, 1_000);
            self.agenda.push(at, &mut self.rng, Step::Tick(id));
        }
        Ok(())
    }

    fn freeze_coordinator(&mut self, span: u64, asleep: bool) -> Checked {
        let until = self.now + span;
        if !self.coordinator.clock.freeze(self.now, until, asleep) {
            return Ok(());
        }
        self.agenda
            .push(until, &mut self.rng, Step::Chaos(Fault::ThawCoordinator));
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.notice_within(conn, Side::Worker, span);
        }
        Ok(())
    }

    fn copy_identity(&mut self, machine: usize) -> Checked {
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
    fn calm(&mut self) -> Checked {
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
                self.look_at_clocks(machine)?;
            }
            self.agenda
                .push(self.now + 500, &mut self.rng, Step::Boot(machine));
        }
        let first = self.now + 5_000;
        self.agenda
            .push(first, &mut self.rng, Step::Chaos(Fault::Look));
        Ok(())
    }
}
