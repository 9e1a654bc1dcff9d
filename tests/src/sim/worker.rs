//! A worker's process as it is simulated: the real state between a shell of its own.
//!
//! The shell looks at the clocks before it handles anything, drops an old stream before it dials, composes messages
//! when the stream can take them, and carries out effects in the order of their fields.

use std::collections::BTreeMap;

use openclaw_common::id::LeaseId;
use openclaw_common::time::Now;
use openclaw_proto::v1;
use openclaw_worker::state::{Effects, Event, Exit, Finished, Options, State};

use super::agenda::{ProcId, Step};
use super::bug::Bug;
use super::executor::Program;
use super::net::{ConnId, Side};
use super::verdict::{Checked, broken};
use super::world::World;

/// What the two clocks may disagree by before the machine must have slept.
const TOLERANCE_MS: u64 = 5_000;
/// Attempts that a worker may hold beyond twice its room, as the state promises.
const HELD_SLACK: usize = 64;

/// A worker's process.
pub(crate) struct Process {
    pub(crate) machine: usize,
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) conn: Option<ConnId>,
    /// Counts dials; what is on the agenda for an earlier one is void.
    pub(crate) dial: u64,
    pub(crate) programs: BTreeMap<LeaseId, Program>,
    /// What the machine had been awake for when it began.
    pub(crate) origin: u64,
    pub(crate) last: Now,
    pub(crate) tick_at: Option<u64>,
    pub(crate) pumping: bool,
    /// Results being written to disk.
    pub(crate) writing: BTreeMap<LeaseId, v1::TaskResult>,
    pub(crate) stopping: bool,
}

impl World {
    /// What a process reads from the clocks.
    pub(crate) fn worker_now(&self, proc: &Process) -> Now {
        self.machines[proc.machine].clock.now(self.now, proc.origin)
    }

    /// A worker process starts: it ends what its former self left running, then reads its disk, then dials.
    pub(crate) fn boot(&mut self, machine: usize) -> Checked {
        if self.machines[machine].proc.is_some() || self.machines[machine].retired {
            return Ok(());
        }
        self.procs_started += 1;
        let id = ProcId(self.procs_started);
        let host = &mut self.machines[machine];
        host.starts += 1;
        host.proc = Some(id);
        let process_id = format!("{}-{}", host.name, host.starts);
        if self.bug != Some(Bug::LeftoversSpared) {
            self.machines[machine].leftovers.clear();
        }
        let host = &self.machines[machine];
        let origin = host.clock.awake(self.now);
        let last = host.clock.now(self.now, origin);
        let options = Options {
            seed: self.rng.bits(),
            pools: host.pools.clone(),
            prefetch: host.prefetch,
            drain_timeout_ms: 30_000,
            remembered: host.dir.remembered,
        };
        let found: Vec<Finished> = host
            .dir
            .spool
            .values()
            .cloned()
            .filter_map(|row| row.try_into().ok())
            .collect();
        if found.len() != host.dir.spool.len() {
            return broken("spool", "a result on disk cannot be read");
        }
        self.trace(format_args!(
            "{process_id} starts, {} results on disk",
            found.len()
        ));
        self.procs.insert(
            id,
            Process {
                machine,
                id: process_id,
                state: State::new(options),
                conn: None,
                dial: 0,
                programs: BTreeMap::new(),
                origin,
                last,
                tick_at: None,
                pumping: false,
                writing: BTreeMap::new(),
                stopping: false,
            },
        );
        if !self.bugged(Bug::SpoolIgnored) {
            self.tell(id, Event::SpoolLoaded(found))?;
        }
        self.tell(id, Event::Tick)
    }

    /// The process is gone, as by `kill -9`; with `silence` its machine is gone too.
    pub(crate) fn kill_worker(&mut self, id: ProcId, silence: bool) -> Checked {
        let Some(proc) = self.procs.remove(&id) else {
            return Ok(());
        };
        self.trace(format_args!("{} dies", proc.id));
        let host = &mut self.machines[proc.machine];
        host.proc = None;
        if !silence {
            // Programs go on until somebody ends them.
            let left = proc
                .programs
                .iter()
                .map(|(lease, program)| (*lease, program.task, program.ends));
            host.leftovers.extend(left);
        }
        for conn in self.streams_of(proc.machine) {
            self.vanish(conn, Side::Worker, silence)?;
        }
        Ok(())
    }

    /// Something happens to a worker.
    pub(crate) fn tell(&mut self, id: ProcId, event: Event) -> Checked {
        self.read_clocks(id, event == Event::Tick)?;
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let now = self.worker_now(proc);
        self.handle(id, now, event)
    }

    /// Before anything else a worker sees whether its machine has slept; that may end the stream which the next
    /// message is of, or the dial which the next step is of.
    pub(crate) fn read_clocks(&mut self, id: ProcId, tick: bool) -> Checked {
        let late = self.bugged(Bug::SleepNoticedLate) && !tick;
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let now = self.worker_now(proc);
        let gap = slept(proc.last, now);
        if late && gap.is_some() {
            return Ok(());
        }
        if let Some(proc) = self.procs.get_mut(&id) {
            proc.last = now;
        }
        match gap {
            Some(gap_ms) => {
                let who = self.shown_proc(id);
                self.trace(format_args!("{who} slept {gap_ms} ms"));
                self.reach("worker slept");
                self.handle(id, now, Event::Resumed { gap_ms })
            }
            None => Ok(()),
        }
    }

    fn handle(&mut self, id: ProcId, now: Now, event: Event) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let mut fx = Effects::new();
        proc.state.handle(now, event, &mut fx);
        if let Err(why) = proc.state.check() {
            return broken("worker", format!("{}: {why}", proc.id));
        }
        self.check_held(id)?;
        self.carry_out_worker(id, fx)?;
        self.after(id);
        Ok(())
    }

    /// A worker's queue has a bound.
    fn check_held(&self, id: ProcId) -> Checked {
        let proc = &self.procs[&id];
        let host = &self.machines[proc.machine];
        let room = usize::try_from(host.pools.slots_milli / 500 + host.prefetch).unwrap_or(0);
        let queued = proc
            .state
            .held()
            .iter()
            .filter(|held| held.state == openclaw_worker::state::LeaseState::Queued)
            .count();
        if queued > 2 * room + HELD_SLACK {
            return broken(
                "bounds",
                format!("{} has queued {queued} attempts", proc.id),
            );
        }
        Ok(())
    }

    fn carry_out_worker(&mut self, id: ProcId, fx: Effects) -> Checked {
        if fx.close {
            self.drop_stream(id)?;
        }
        for job in fx.starts {
            self.start_program(id, job)?;
        }
        for kill in fx.kills {
            self.end_program(id, kill);
        }
        for finished in fx.spool_writes {
            self.write_result(id, &finished);
        }
        let Some(machine) = self.procs.get(&id).map(|proc| proc.machine) else {
            return Ok(());
        };
        for lease in fx.spool_removals {
            self.machines[machine].dir.spool.remove(&lease);
            if let Some(proc) = self.procs.get_mut(&id) {
                proc.writing.remove(&lease);
            }
        }
        if fx.spool_aside.is_some() {
            return broken(
                "identity",
                "there is only one cluster, and a worker saw another",
            );
        }
        if fx.remember.is_some() {
            self.machines[machine].dir.remembered = fx.remember;
        }
        if fx.connect {
            self.dial(id);
        }
        match fx.exit {
            Some(exit) => self.exit(id, exit),
            None => Ok(()),
        }
    }

    /// The process ends by itself.
    fn exit(&mut self, id: ProcId, exit: Exit) -> Checked {
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let machine = proc.machine;
        self.trace(format_args!("{id:?} exits: {exit:?}"));
        if exit != Exit::Stopped {
            self.reach("worker sent away for good");
            let host = &mut self.machines[machine];
            host.retired = true;
            let rival = self
                .machines
                .iter()
                .filter(|other| other.dir.uid == self.machines[machine].dir.uid)
                .count();
            if rival < 2 {
                return broken(
                    "identity",
                    format!(
                        "{} was sent away for good without a rival",
                        self.machines[machine].name
                    ),
                );
            }
        }
        self.kill_worker(id, false)?;
        let at = self.now + self.rng.between(1_000, 60_000);
        self.agenda.push(at, &mut self.rng, Step::Boot(machine));
        Ok(())
    }

    /// Arms the worker's timer and its writer.
    pub(crate) fn after(&mut self, id: ProcId) {
        let Some(proc) = self.procs.get_mut(&id) else {
            return;
        };
        let now = self.machines[proc.machine].clock.now(self.now, proc.origin);
        if let Some(due) = proc.state.next_deadline() {
            let at = self.now + due.since(now.mono).max(1);
            if proc.tick_at.is_none_or(|set| at < set || set <= self.now) {
                proc.tick_at = Some(at);
                self.agenda.push(at, &mut self.rng, Step::Tick(id));
            }
        }
        let proc = &self.procs[&id];
        if proc.state.has_output() && !proc.pumping {
            self.pump_by(id, 3);
        }
    }

    pub(crate) fn pump_by(&mut self, id: ProcId, within: u64) {
        if let Some(proc) = self.procs.get_mut(&id) {
            proc.pumping = true;
        }
        let at = self.now + self.rng.between(0, within);
        self.agenda.push(at, &mut self.rng, Step::Pump(id));
    }

    /// The worker's timer.
    pub(crate) fn tick(&mut self, id: ProcId) -> Checked {
        if let Some(proc) = self.procs.get_mut(&id)
            && proc.tick_at.is_some_and(|at| at <= self.now)
        {
            proc.tick_at = None;
        }
        self.tell(id, Event::Tick)
    }

    pub(crate) fn shown_proc(&self, id: ProcId) -> String {
        self.procs
            .get(&id)
            .map_or_else(|| format!("{id:?}"), |proc| proc.id.clone())
    }
}

/// By how much the clocks disagree about the time since the last look, when it is too much.
fn slept(last: Now, now: Now) -> Option<u64> {
    let mono = now.mono.since(last.mono);
    let ahead = now.wall.since(last.wall);
    let back = last.wall.since(now.wall);
    let apart = if back > 0 {
        mono + back
    } else {
        mono.abs_diff(ahead)
    };
    (apart > TOLERANCE_MS).then(|| apart.max(mono))
}
