//! What is to happen when: by time, and by lot among things of the same millisecond.

use std::collections::BTreeMap;

use openclaw_common::id::LeaseId;

use super::chaos::Fault;
use super::client::Errand;
use super::net::{ConnId, Side};
use super::rng::Rng;

/// Names one worker process of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcId(pub(crate) u32);

/// One thing that is to happen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The first message of one direction may have arrived.
    Deliver(ConnId, Side),
    /// This side notices that the stream is dead.
    Break(ConnId, Side),
    /// A dial reaches the coordinator, or does not.
    Connect(ProcId, u64),
    /// A dial has waited long enough for its Welcome.
    DialTimeout(ProcId, u64),
    /// The worker's timer.
    Tick(ProcId),
    /// The worker's stream can take messages.
    Pump(ProcId),
    /// Something about a running program.
    Program(ProcId, LeaseId, Phase, u64),
    /// A result has been written to the worker's disk, or has not.
    Spooled(ProcId, LeaseId),
    /// A worker process starts on this machine.
    Boot(usize),
    /// The driver takes a turn.
    Turn(u64),
    /// The store has finished a batch.
    Flushed(u64),
    /// The coordinator's process starts, or its store is opened again.
    Open(u64),
    /// A client does something.
    Client(Errand),
    /// Something breaks or heals.
    Chaos(Fault),
}

/// What becomes of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its start is known.
    Started,
    /// It tells how far it is.
    Progress,
    /// It ends, by itself or because it was asked to.
    End,
    /// It could not be ended in time.
    Wedged,
}

/// Everything that is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    steps: BTreeMap<(u64, u64, u64), Step>,
    count: u64,
}

impl Agenda {
    pub(crate) fn push(&mut self, at: u64, rng: &mut Rng, step: Step) {
        self.count += 1;
        self.steps.insert((at, rng.bits(), self.count), step);
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Step)> {
        let ((at, ..), step) = self.steps.pop_first()?;
        Some((at, step))
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }
}
