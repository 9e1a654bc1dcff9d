//! Years of trouble in seconds: the real core, the real store in memory and real worker states in a simulated world.
//!
//! Owns: one virtual clock, machines, streams, disks, programs, clients, faults, and a record of what really happened
//! against which every rule is checked after every step. The same seed gives the same run. `docs/SIMULATION.md` says
//! what is simulated and what is checked. Never: threads, real time, real input or output.

mod agenda;
mod bug;
mod chaos;
mod client;
mod clock;
mod coordinator;
mod dialing;
mod dying;
mod executor;
mod flushing;
mod havoc;
mod machine;
mod net;
mod plan;
mod rng;
mod rules;
mod session;
mod settling;
mod talking;
mod trace;
mod truth;
mod verdict;
mod worker;
mod world;

use std::collections::BTreeSet;

pub use bug::Bug;
pub use verdict::Violation;
use world::World;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Things go wrong.
    pub faults: bool,
    /// A planted mistake.
    pub bug: Option<Bug>,
    /// Keep the lines of the log.
    pub watch: bool,
}

impl Plan {
    /// The run of a seed, with faults.
    pub const fn of(seed: u64) -> Self {
        Self {
            seed,
            faults: true,
            bug: None,
            watch: false,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The first broken rule.
    pub violation: Option<Violation>,
    /// Two runs with the same number did the same.
    pub hash: u64,
    /// Steps taken.
    pub steps: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// Attempts started.
    pub attempts: usize,
    /// Rare corners that it has been in, by name; codes of final tasks among them.
    pub reached: BTreeSet<&'static str>,
    /// The log, when it was asked for.
    pub lines: Vec<String>,
}

/// Runs one seed to its end, or to the first broken rule.
pub fn run(plan: Plan) -> Outcome {
    let mut world = World::new(plan.seed, plan.faults, plan.bug, plan.watch);
    let violation = world.run().err();
    Outcome {
        violation,
        hash: world.log.hash(),
        steps: world.steps,
        virtual_ms: world.now,
        attempts: world
            .truth
            .leases
            .values()
            .filter(|lease| lease.started.is_some())
            .count(),
        reached: world.reached,
        lines: world.log.into_lines(),
    }
}
