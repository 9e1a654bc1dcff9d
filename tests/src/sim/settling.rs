//! Whether a run is over: everything ended, nothing left behind.

use openclaw_common::code::ReasonCode;
use openclaw_common::id::TaskId;
use openclaw_core::effect::{Effects, Reply};
use openclaw_core::event::{Event, Query, ReplyId};
use openclaw_core::view::LiveTask;

use super::agenda::Step;
use super::chaos::Fault;
use super::client::Errand;
use super::machine::Machine;
use super::verdict::{Checked, broken};
use super::world::World;

/// How long everything may take once faults have stopped.
const CALM_MS: u64 = 40 * 60_000;
/// How often it is looked whether everything is done.
const LOOK_MS: u64 = 5_000;

impl World {
    /// Is everything done? Then the run ends.
    pub(crate) fn look(&mut self) -> Checked {
        self.sweep_streams();
        let Some(since) = self.calm_since else {
            return Ok(());
        };
        let spent = self.now - since;
        if spent.is_multiple_of(12 * LOOK_MS) {
            self.nudge();
        }
        let Some(why) = self.unsettled() else {
            self.done = true;
            return Ok(());
        };
        if spent > CALM_MS {
            return broken("liveness", why);
        }
        self.agenda
            .push(self.now + LOOK_MS, &mut self.rng, Step::Chaos(Fault::Look));
        Ok(())
    }

    /// Now and then in calm weather: daemons are ended, skills looked at again.
    pub(crate) fn nudge(&mut self) {
        for machine in 0..self.machines.len() {
            self.agenda.push(
                self.now,
                &mut self.rng,
                Step::Chaos(Fault::Inventory(machine)),
            );
        }
        let daemons: Vec<TaskId> = self
            .truth
            .tasks
            .iter()
            .filter(|(_, task)| {
                task.durable && task.recorded.is_none() && self.plans[task.number].daemon
            })
            .map(|(id, _)| *id)
            .collect();
        for id in daemons {
            self.agenda
                .push(self.now, &mut self.rng, Step::Client(Errand::Cancel(id)));
        }
    }

    /// What is not as it has to be in the end.
    pub(crate) fn unsettled(&mut self) -> Option<String> {
        if self.coordinator.run.is_none() {
            return Some("the coordinator does not run".to_owned());
        }
        for (index, request) in self.requests.iter().enumerate() {
            if request.answer.is_none() && !request.key.is_empty() {
                return Some(format!("request {index} was never answered"));
            }
        }
        let open: Vec<(TaskId, usize)> = self
            .truth
            .tasks
            .iter()
            .filter(|(_, task)| task.durable && task.recorded.is_none())
            .map(|(id, task)| (*id, task.number))
            .collect();
        for (id, number) in open {
            let live = self.live(id);
            if !live
                .as_ref()
                .is_some_and(|live| self.may_wait(live, number))
            {
                let state = live.map(|live| live.state);
                return Some(format!(
                    "{id}, task {number}, {:?}, is not final: {state:?}",
                    self.plans[number].nature
                ));
            }
        }
        self.remains()
    }

    /// Asks the core itself.
    pub(crate) fn live(&mut self, id: TaskId) -> Option<LiveTask> {
        let now = self.coordinator_now();
        let run = self.coordinator.run.as_mut()?;
        let mut fx = Effects::default();
        let query = Event::Query {
            query: Query::Task(id),
            reply: ReplyId(0),
        };
        run.core.handle(now, query, &mut fx);
        match fx.replies.pop() {
            Some((_, Reply::Task(live))) => live.map(|live| *live),
            _ => None,
        }
    }

    /// It waits for something that nobody here has, and says so.
    pub(crate) fn may_wait(&self, live: &LiveTask, number: usize) -> bool {
        let plan = &self.plans[number];
        let able = |machine: &&Machine| {
            !machine.retired
                && machine.skills.iter().any(|skill| skill == plan.skill)
                && plan
                    .tag
                    .is_none_or(|tag| machine.tags.iter().any(|own| own == tag))
                && (!plan.licence || machine.pools.custom.contains_key("licence"))
        };
        let able: Vec<&Machine> = self.machines.iter().filter(able).collect();
        match live.state.code {
            ReasonCode::NoNodeWithSkill
            | ReasonCode::TagMismatch
            | ReasonCode::Resources
            | ReasonCode::SkillIneligible => able.is_empty(),
            _ => false,
        }
    }

    /// What nobody wants any more and is still there.
    pub(crate) fn remains(&self) -> Option<String> {
        for proc in self.procs.values() {
            if let Some(lease) = proc.programs.keys().next() {
                return Some(format!("{} still runs {lease}", proc.id));
            }
            if let Some(held) = proc.state.held().first() {
                return Some(format!(
                    "{} still holds {} ({:?})",
                    proc.id, held.lease, held.state
                ));
            }
        }
        for machine in self
            .machines
            .iter()
            .filter(|machine| machine.proc.is_some())
        {
            if let Some(lease) = machine.dir.spool.keys().next() {
                return Some(format!(
                    "{} still has the result of {lease} on disk",
                    machine.name
                ));
            }
        }
        let rows = self.coordinator.disk.count("a/");
        (rows > 0).then(|| format!("{rows} rows of offers are still on disk"))
    }
}
