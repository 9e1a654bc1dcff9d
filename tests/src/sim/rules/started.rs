//! Rules of starts: by whom, where, how often, and with which sign of life.

use openclaw_common::id::LeaseId;
use openclaw_worker::model::Job;

use super::super::agenda::ProcId;
use super::super::verdict::{Checked, broken};
use super::super::world::World;

/// Silence after which a worker starts nothing: three heartbeats.
const SUSPECT_MS: u64 = 15_000;

impl World {
    /// A program is about to start.
    pub(crate) fn truth_starts(&mut self, id: ProcId, job: &Job, number: usize) -> Checked {
        let (lease, task) = (job.lease, job.spec.task_id);
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let (name, machine) = (proc.id.clone(), proc.machine);
        self.trace(format_args!(
            "{name} starts {lease}, attempt {} of {task}",
            job.attempt
        ));
        self.check_vouched(id, lease)?;
        self.check_fits(id, job, number)?;
        let Some(known) = self.truth.leases.get(&lease) else {
            return broken(
                "durable",
                format!("{name} starts {lease}, which is not on disk"),
            );
        };
        if known.task != task || known.attempt != job.attempt {
            return broken(
                "content",
                format!(
                    "{lease} is attempt {} of {}, and starts as {} of {task}",
                    known.attempt, known.task, job.attempt
                ),
            );
        }
        if let Some((before, _)) = known.started {
            return broken(
                "once",
                format!("{lease} was started by {before:?} and starts again on {name}"),
            );
        }
        let truth = &self.truth.tasks[&task];
        if truth.number != number {
            return broken(
                "content",
                format!("{task} has the parameters of another task"),
            );
        }
        let excused = !self.truth.copied.is_empty();
        if let Some(end) = truth.recorded.as_ref().filter(|end| !end.away && !excused) {
            return broken(
                "final",
                format!(
                    "{lease} starts on {} although {task} is {}",
                    self.machines[machine].name, end.status
                ),
            );
        }
        if truth.recorded.is_none() && self.truth.latest(task) != Some(lease) && !excused {
            return broken(
                "elsewhere",
                format!("{lease} starts on {name} although {task} was placed again"),
            );
        }
        if let Some(known) = self.truth.leases.get_mut(&lease) {
            known.started = Some((id, self.now));
        }
        Ok(())
    }

    /// Whoever says that a program runs which nobody wants any more is told to end it before that is acknowledged.
    pub(crate) fn check_unwanted(&self, id: ProcId, composed: u64) -> Checked {
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let spared = |lease: &&LeaseId| {
            let known = self.truth.leases.get(lease)?;
            let (_, started) = known.started?;
            let since = self.truth.unwanted_since(**lease)?;
            let told = proc.programs[lease].asked();
            (!told && since < composed && started < composed).then_some(())
        };
        match proc.programs.keys().find(|lease| spared(lease).is_some()) {
            Some(lease) if self.truth.copied.is_empty() => broken(
                "unwanted",
                format!(
                    "{} still runs {lease}, which was cancelled, placed again or ended",
                    proc.id
                ),
            ),
            _ => Ok(()),
        }
    }

    /// A queued offer never starts without a live stream.
    fn check_vouched(&self, id: ProcId, lease: LeaseId) -> Checked {
        let proc = &self.procs[&id];
        let stream = proc.conn.and_then(|conn| self.conns.get(&conn));
        let vouched = stream.and_then(|stream| stream.vouched);
        match vouched {
            Some(at) if self.now.saturating_sub(at) < SUSPECT_MS => Ok(()),
            Some(at) => broken(
                "stream",
                format!(
                    "{} starts {lease}, {} ms after its last sign of life",
                    proc.id,
                    self.now - at
                ),
            ),
            None => broken(
                "stream",
                format!("{} starts {lease} without a stream", proc.id),
            ),
        }
    }

    /// A task runs only where its hard requirements hold, and never beyond a pool.
    fn check_fits(&self, id: ProcId, job: &Job, number: usize) -> Checked {
        let proc = &self.procs[&id];
        let host = &self.machines[proc.machine];
        let plan = &self.plans[number];
        let tagged = plan
            .tag
            .is_none_or(|tag| host.tags.iter().any(|own| own == tag));
        if !host.skills.iter().any(|skill| skill == plan.skill) || !tagged {
            return broken(
                "requirements",
                format!("{} cannot run {}", host.name, job.lease),
            );
        }
        let mut used = job.spec.demand.clone();
        for program in proc.programs.values() {
            used.slots_milli += program.demand.slots_milli;
            used.cpu_milli += program.demand.cpu_milli;
            used.memory_bytes += program.demand.memory_bytes;
            *used.custom.entry("licence".to_owned()).or_default() +=
                program.demand.custom.get("licence").copied().unwrap_or(0);
        }
        let have = &host.pools;
        let licences = |pools: &openclaw_worker::model::Demand| {
            pools.custom.get("licence").copied().unwrap_or(0)
        };
        let over = used.slots_milli > have.slots_milli
            || used.cpu_milli > have.cpu_milli
            || used.memory_bytes > have.memory_bytes
            || licences(&used) > licences(have);
        if over {
            return broken(
                "pools",
                format!("{} would run {used:?} of {have:?}", host.name),
            );
        }
        Ok(())
    }
}
