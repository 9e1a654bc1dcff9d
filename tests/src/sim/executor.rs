//! Programs that run on a simulated machine: they take virtual time, end in one way or another, and can be ended.

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::Outcome;
use openclaw_proto::v1;
use openclaw_worker::model::{Demand, Ended, Failure, Job};
use openclaw_worker::state::{Event, Finished, Kill, Progress};

use super::agenda::{Phase, ProcId, Step};
use super::plan::{Nature, number_in};
use super::verdict::{Checked, broken};
use super::world::World;

/// Grace between the polite and the hard signal, and how long the end is waited for after that.
const GRACE_MS: u64 = 10_000;
const WEDGED_MS: u64 = 60_000;

/// A running program.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact, and they do not exclude each other"
)]
pub(crate) struct Program {
    pub(crate) task: TaskId,
    pub(crate) demand: Demand,
    /// Awake time of its machine at which it began, and at which it ends.
    began: u64,
    pub(crate) ends: u64,
    outcome: Outcome,
    exit_code: Option<i32>,
    stubborn: bool,
    wedges: bool,
    poison: bool,
    /// Its worker has said that it cannot be ended.
    pub(crate) wedged: bool,
    /// Counts changes of plan; steps of an earlier one are void.
    turn: u64,
}

impl Program {
    /// It was asked to end.
    pub(crate) fn asked(&self) -> bool {
        self.turn > 0
    }
}

impl World {
    /// Starts the program of an attempt.
    pub(crate) fn start_program(&mut self, id: ProcId, job: Job) -> Checked {
        let Some(number) = number_in(&job.spec.parameters) else {
            return broken(
                "content",
                format!("{} has other parameters than were given", job.spec.task_id),
            );
        };
        self.truth_starts(id, &job, number)?;
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let machine = proc.machine;
        let plan = self.plans[number].clone();
        let (lease, task) = (job.lease, job.spec.task_id);
        if plan.nature == Nature::Unstartable && self.plans[number].refuses > 0 {
            self.plans[number].refuses -= 1;
            let ended = Ended::not_started("no such program");
            return self.tell(id, Event::Ended(lease, Box::new(ended)));
        }
        let awake = self.machines[machine].clock.awake(self.now);
        let (outcome, exit_code) = self.fate(plan.nature);
        let limit = plan.timeout.unwrap_or(u64::MAX);
        let (takes, outcome) = if plan.takes > limit {
            (limit, Outcome::Timeout)
        } else {
            (plan.takes, outcome)
        };
        let program = Program {
            task,
            demand: job.spec.demand,
            began: awake,
            ends: awake + takes,
            outcome,
            exit_code: exit_code.filter(|_| outcome == Outcome::Exit),
            stubborn: plan.nature == Nature::Stubborn,
            wedges: plan.nature == Nature::Stubborn && self.chaos.wedges && self.rng.percent(70),
            poison: plan.nature == Nature::Poison,
            wedged: false,
            turn: 0,
        };
        let ends = self.now + takes;
        if let Some(proc) = self.procs.get_mut(&id) {
            proc.programs.insert(lease, program);
        }
        let known = self.now + self.rng.between(0, 20);
        self.program_step(known, id, lease, Phase::Started, 0);
        if takes > 3_000 && self.rng.percent(30) {
            let told = self.now + takes / 2;
            self.program_step(told, id, lease, Phase::Progress, 0);
        }
        self.program_step(ends, id, lease, Phase::End, 0);
        Ok(())
    }

    fn program_step(&mut self, at: u64, id: ProcId, lease: LeaseId, phase: Phase, turn: u64) {
        self.agenda
            .push(at, &mut self.rng, Step::Program(id, lease, phase, turn));
    }

    /// How an undisturbed run ends.
    fn fate(&mut self, nature: Nature) -> (Outcome, Option<i32>) {
        match nature {
            Nature::Flaky if self.rng.percent(50) => {
                let outcome = self.rng.pick(&[
                    Outcome::Exit,
                    Outcome::Signal,
                    Outcome::BadOutput,
                    Outcome::Exit,
                ]);
                (outcome, Some(self.rng.pick(&[1, 75])))
            }
            Nature::Hopeless => (Outcome::Exit, Some(1)),
            Nature::Permanent => (Outcome::Exit, Some(65)),
            _ => (Outcome::Succeeded, None),
        }
    }

    /// Something becomes of a program.
    pub(crate) fn program(
        &mut self,
        id: ProcId,
        lease: LeaseId,
        phase: Phase,
        turn: u64,
    ) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let machine = proc.machine;
        let awake = self.machines[machine].clock.awake(self.now);
        let Some(program) = proc
            .programs
            .get_mut(&lease)
            .filter(|program| program.turn == turn)
        else {
            return Ok(());
        };
        match phase {
            Phase::Started => self.tell(id, Event::Started(lease)),
            Phase::Progress => {
                let progress = Progress {
                    percent: Some(50.0),
                    message: "half".to_owned(),
                };
                self.tell(id, Event::Progressed(lease, progress))
            }
            Phase::Wedged => {
                program.wedged = true;
                self.truth.wedged(lease);
                self.reach("wedged");
                self.tell(id, Event::Wedged(lease))
            }
            // Time asleep does not count.
            Phase::End if awake < program.ends => {
                let at = self.now + (program.ends - awake);
                self.program_step(at, id, lease, Phase::End, turn);
                Ok(())
            }
            Phase::End => self.program_ends(id, lease),
        }
    }

    fn program_ends(&mut self, id: ProcId, lease: LeaseId) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let awake = self.machines[proc.machine].clock.awake(self.now);
        let Some(program) = proc.programs.remove(&lease) else {
            return Ok(());
        };
        let run_ms = awake.saturating_sub(program.began);
        if program.poison && run_ms >= 1_000 && program.outcome == Outcome::Succeeded {
            let at = self.now + self.rng.between(500, 5_000);
            self.agenda
                .push(at, &mut self.rng, Step::Boot(proc.machine));
            return self.kill_worker(id, false);
        }
        self.truth.program_ended(lease, id);
        let ended = ended(lease, &program, run_ms);
        self.tell(id, Event::Ended(lease, Box::new(ended)))
    }

    /// Asks a program to end.
    pub(crate) fn end_program(&mut self, id: ProcId, kill: Kill) {
        let Some(proc) = self.procs.get_mut(&id) else {
            return;
        };
        let Some(program) = proc
            .programs
            .get_mut(&kill.lease)
            .filter(|program| !program.wedged)
        else {
            return;
        };
        let machine = proc.machine;
        let awake = self.machines[machine].clock.awake(self.now);
        let grace = if kill.now { 0 } else { GRACE_MS };
        let patience = if program.stubborn {
            grace
        } else {
            self.rng.between(0, grace.min(500))
        };
        let dies = if program.wedges {
            patience + WEDGED_MS + 45_000
        } else {
            patience + 20
        };
        if program.ends > awake + dies || program.wedges {
            program.outcome = Outcome::Killed;
            program.exit_code = None;
            program.ends = awake + dies;
        }
        program.turn += 1;
        let (turn, at, wedges) = (
            program.turn,
            self.now + program.ends.saturating_sub(awake),
            program.wedges,
        );
        self.program_step(at, id, kill.lease, Phase::End, turn);
        if wedges {
            self.program_step(
                self.now + patience + WEDGED_MS,
                id,
                kill.lease,
                Phase::Wedged,
                turn,
            );
        }
    }

    /// Begins to write a result to the worker's disk.
    pub(crate) fn write_result(&mut self, id: ProcId, finished: &Finished) {
        let Some(proc) = self.procs.get_mut(&id) else {
            return;
        };
        proc.writing
            .insert(finished.lease, v1::TaskResult::from(finished));
        let at = self.now + self.rng.between(0, 30);
        self.agenda
            .push(at, &mut self.rng, Step::Spooled(id, finished.lease));
    }

    /// A result is on the worker's disk, unless the disk refuses it.
    pub(crate) fn spooled(&mut self, id: ProcId, lease: LeaseId) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let Some(row) = proc.writing.remove(&lease) else {
            return Ok(());
        };
        let dir = &mut self.machines[proc.machine].dir;
        if dir.failing_until > self.now {
            return self.tell(id, Event::SpoolFailed(lease));
        }
        dir.spool.insert(lease, row);
        self.tell(id, Event::Spooled(lease))
    }
}

/// The report of a program's end; its result names the attempt, so that it can be told from any other.
fn ended(lease: LeaseId, program: &Program, run_ms: u64) -> Ended {
    let succeeded = program.outcome == Outcome::Succeeded;
    let failure = Failure {
        code: match program.outcome {
            Outcome::Signal => ReasonCode::Signal,
            Outcome::Timeout => ReasonCode::Timeout,
            Outcome::BadOutput => ReasonCode::Output,
            Outcome::Killed => ReasonCode::Cancelled,
            _ => ReasonCode::Exit,
        },
        message: "it broke".to_owned(),
        exit_code: program.exit_code,
        signal: None,
        stderr_tail: String::new(),
    };
    Ended {
        outcome: program.outcome,
        result: if succeeded {
            format!("{{\"lease\":\"{lease}\"}}")
        } else {
            String::new()
        },
        outputs: Vec::new(),
        failure: (!succeeded).then_some(failure),
        run_ms,
        output: Vec::new(),
        stdout_bytes: 0,
        stderr_bytes: 0,
    }
}
