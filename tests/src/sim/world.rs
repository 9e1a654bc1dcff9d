//! One run: its parts, its steps in order of time, and what has to be true at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use openclaw_core::settings::Settings;
use openclaw_worker::model::Demand;

use super::agenda::{Agenda, ProcId, Step};
use super::bug::Bug;
use super::chaos::{self, Chaos, Fault};
use super::client::{Errand, Request};
use super::clock::Clock;
use super::coordinator::Coordinator;
use super::machine::Machine;
use super::net::{Conn, ConnId, Side};
use super::plan::Plan;
use super::rng::Rng;
use super::trace::Trace;
use super::truth::Truth;
use super::verdict::{Checked, broken};
use super::worker::Process;

/// More steps than this, and the run does not come to an end.
const STEPS_MOST: u64 = 600_000;
/// More than this on the agenda would be a queue without a bound.
const AGENDA_MOST: usize = 50_000;

/// Everything there is in one run.
pub(crate) struct World {
    /// The true time in milliseconds, which nobody knows.
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    pub(crate) agenda: Agenda,
    pub(crate) log: Trace,
    pub(crate) bug: Option<Bug>,
    pub(crate) chaos: Chaos,
    pub(crate) plans: Vec<Plan>,
    pub(crate) requests: Vec<Request>,
    pub(crate) coordinator: Coordinator,
    /// The core has handled something since it last looked at its deadlines.
    pub(crate) dirty: bool,
    pub(crate) first_epoch: Option<u64>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) procs: BTreeMap<ProcId, Process>,
    pub(crate) procs_started: u32,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    pub(crate) conns_made: u32,
    pub(crate) truth: Truth,
    pub(crate) calm_since: Option<u64>,
    /// When the view is next compared with the truth.
    pub(crate) view_due: u64,
    /// Corners that this run has been in.
    pub(crate) reached: BTreeSet<&'static str>,
    pub(crate) done: bool,
    pub(crate) steps: u64,
}

impl World {
    /// The run of a seed. `faults`: things go wrong.
    pub(crate) fn new(seed: u64, faults: bool, bug: Option<Bug>, watch: bool) -> Self {
        let mut rng = Rng::new(seed);
        let settings = Settings {
            lease_ms: rng.pick(&[30_000, 30_000, 90_000]),
            ..Settings::default()
        };
        let clock = Clock::off_by(rng.between(0, 48 * 3_600_000));
        let mut world = Self {
            now: 0,
            agenda: Agenda::default(),
            log: Trace::new(watch),
            bug,
            chaos: if faults {
                Chaos::roll(&mut rng)
            } else {
                Chaos::none()
            },
            plans: Vec::new(),
            requests: Vec::new(),
            coordinator: Coordinator::new(settings, clock),
            dirty: false,
            first_epoch: None,
            machines: Vec::new(),
            procs: BTreeMap::new(),
            procs_started: 0,
            conns: BTreeMap::new(),
            conns_made: 0,
            truth: Truth::default(),
            calm_since: None,
            view_due: 0,
            reached: BTreeSet::new(),
            done: false,
            steps: 0,
            rng,
        };
        if world.rng.percent(30) {
            world.coordinator.disk.set_piece(world.rng.below(4) + 1);
        }
        world.build(faults);
        world
    }

    fn build(&mut self, faults: bool) {
        let machines = self.rng.below(4) + 1;
        for number in 0..machines {
            let machine = self.machine(number);
            self.machines.push(machine);
            let at = self.rng.between(0, 3_000);
            self.agenda.push(at, &mut self.rng, Step::Boot(number));
        }
        let end = self.rng.between(60_000, 300_000);
        self.work(end);
        if faults {
            for (at, fault) in chaos::schedule(&mut self.rng, machines, end) {
                self.agenda.push(at, &mut self.rng, Step::Chaos(fault));
            }
        }
        self.agenda
            .push(end, &mut self.rng, Step::Chaos(Fault::Calm));
        self.agenda.push(0, &mut self.rng, Step::Open(0));
    }

    fn machine(&mut self, number: usize) -> Machine {
        let rng = &mut self.rng;
        let mut machine = Machine::new(number, Clock::off_by(rng.between(0, 48 * 3_600_000)));
        machine.latency = rng.pick(&[1, 5, 40]);
        machine.skills.push("echo".to_owned());
        if number == 0 || rng.percent(40) {
            machine.skills.push("render".to_owned());
        }
        if rng.percent(50) {
            machine.tags.push("big".to_owned());
        }
        machine.prefetch = rng.pick(&[0, 0, 1, 3]);
        machine.pools = Demand {
            slots_milli: rng.pick(&[1_000, 2_000, 4_000]),
            cpu_milli: rng.pick(&[1_000, 4_000]),
            memory_bytes: 1 << 30,
            ..Demand::default()
        };
        if rng.percent(50) {
            machine.pools.custom.insert("licence".to_owned(), 1);
        }
        machine
    }

    fn work(&mut self, end: u64) {
        let wanted = self.rng.below(28) + 3;
        while self.plans.len() < wanted {
            let size = if self.rng.percent(30) {
                self.rng.below(6) + 2
            } else {
                1
            };
            let numbers: Vec<usize> = (0..size).map(|more| self.plans.len() + more).collect();
            for number in &numbers {
                let plan = Plan::roll(*number, &mut self.rng);
                self.plans.push(plan);
            }
            let index = self.requests.len();
            let key = if self.rng.percent(80) {
                format!("key-{index}")
            } else {
                String::new()
            };
            let user = self.rng.pick(&["ann", "bob"]);
            self.requests.push(Request::new(numbers, key, user));
            let at = self.rng.between(0, end * 3 / 4);
            self.agenda
                .push(at, &mut self.rng, Step::Client(Errand::Submit(index)));
        }
    }

    /// Notes what happens.
    pub(crate) fn trace(&mut self, what: fmt::Arguments<'_>) {
        self.log.line(self.now, what);
    }

    /// Remembers that this run has been in a rare corner.
    pub(crate) fn reach(&mut self, corner: &'static str) {
        self.reached.insert(corner);
    }

    /// This mistake is planted.
    pub(crate) fn bugged(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Checked {
        while let Some((at, step)) = self.agenda.pop() {
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > STEPS_MOST || self.agenda.len() > AGENDA_MOST {
                return broken(
                    "bounds",
                    format!("{} steps, {} to come", self.steps, self.agenda.len()),
                );
            }
            match self.frozen(&step) {
                Some(until) => self.agenda.push(until + 1, &mut self.rng, step),
                None => self.step(step)?,
            }
            if self.done {
                return Ok(());
            }
        }
        broken("liveness", "nothing is left to happen")
    }

    /// Until when the place where this is to happen stands still.
    fn frozen(&self, step: &Step) -> Option<u64> {
        let worker = |id: &ProcId| {
            let proc = self.procs.get(id)?;
            self.machines[proc.machine].clock.frozen()
        };
        match step {
            Step::Deliver(conn, Side::Worker) | Step::Break(conn, Side::Worker) => {
                let machine = self.conns.get(conn)?.machine;
                self.machines[machine].clock.frozen()
            }
            Step::Connect(id, _)
            | Step::DialTimeout(id, _)
            | Step::Tick(id)
            | Step::Pump(id)
            | Step::Program(id, ..)
            | Step::Spooled(id, _) => worker(id),
            Step::Boot(machine) => self.machines[*machine].clock.frozen(),
            Step::Deliver(_, Side::Coordinator)
            | Step::Break(_, Side::Coordinator)
            | Step::Turn(_)
            | Step::Flushed(_)
            | Step::Open(_) => self.coordinator.clock.frozen(),
            Step::Client(_) | Step::Chaos(_) => None,
        }
    }

    fn step(&mut self, step: Step) -> Checked {
        match step {
            Step::Deliver(conn, to) => self.deliver(conn, to),
            Step::Break(conn, side) => self.break_off(conn, side),
            Step::Connect(id, dial) => self.connect(id, dial),
            Step::DialTimeout(id, dial) => self.dial_timeout(id, dial),
            Step::Tick(id) => self.tick(id),
            Step::Pump(id) => self.pump(id),
            Step::Program(id, lease, phase, turn) => self.program(id, lease, phase, turn),
            Step::Spooled(id, lease) => self.spooled(id, lease),
            Step::Boot(machine) => self.boot(machine),
            Step::Turn(life) => self.turn(life),
            Step::Flushed(life) => self.flushed(life),
            Step::Open(life) => self.open_store(life),
            Step::Client(errand) => self.client(errand),
            Step::Chaos(fault) => self.befall(fault),
        }
    }
}
