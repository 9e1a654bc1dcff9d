//! What goes wrong in a run, and when. Each seed has its own selection of faults, so that each gets room to matter.

use openclaw_coordinator::store::memory::Fault as DiskFault;

use super::net::Side;
use super::rng::Rng;
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
    /// A worker is not heard for so long, and nobody's pings show it.
    Hush(usize, u64),
    /// What is under way to a side on a worker's present streams is held up for so long; new streams are not.
    Delay(usize, Side, u64),
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
            half_open: rng.pick(&[0, 30, 90]),
            disk_ms: rng.pick(&[0, 5, 50, 1_500]),
            lost_answers: rng.pick(&[0, 10, 40]),
            cancels: rng.pick(&[0, 10, 30]),
            wedges: rng.percent(40),
            downtime_ms: rng.pick(&[500, 5_000, 60_000, 200_000]),
        }
    }
}

/// Kinds of faults that a seed may have or not.
const KINDS: usize = 15;

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
            let longest = rng.pick(&[3_000, 60_000, 180_000, 180_000]);
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
        14 if rng.percent(60) => {
            let side = rng.pick(&[Side::Worker, Side::Worker, Side::Coordinator]);
            Fault::Delay(machine, side, span(rng, 20_000, 150_000))
        }
        14 => Fault::Hush(machine, span(rng, 31_000, 130_000)),
        13 if rng.percent(30) => Fault::Inventory(machine),
        _ => Fault::DiskSlow(rng.pick(&[200, 2_000, 8_000])),
    }
}

impl World {}
