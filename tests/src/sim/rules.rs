//! The rules, checked against what really happened, at every decision, commit, start and answer.

use std::collections::{BTreeMap, BTreeSet};

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, SessionId, TaskId};
use openclaw_common::status::{NodeStatus, Outcome, TaskStatus};
use openclaw_common::time::{Mono, Now};
use openclaw_coordinator::store::Reader;
use openclaw_core::effect::{Effects, Reply, Send};
use openclaw_core::event::SessionEvent;
use openclaw_core::record::{FinalRow, Loaded, OfferRow, PastAttempt, StateRow, Write};
use openclaw_proto::v1;
use openclaw_worker::model::Job;
use openclaw_worker::state::LeaseState;
use prost::Message as _;

use super::agenda::ProcId;
use super::client::Waiter;
use super::truth::{LeaseTruth, Recorded};
use super::verdict::{Checked, broken};
use super::world::World;

/// Silence after which a worker starts nothing: three heartbeats.
const SUSPECT_MS: u64 = 15_000;

impl World {
    fn lease_ms(&self) -> u64 {
        self.coordinator.settings.lease_ms
    }

    /// An event is about to reach the core.
    pub(crate) fn truth_hears(&mut self, now: Now, session: SessionId, event: &SessionEvent) {
        let until = now.mono.plus(self.lease_ms());
        match event {
            SessionEvent::Opened(hello) => {
                let held = hello.held.iter().map(|held| held.lease).collect();
                self.truth.introduced(session, &hello.uid, held);
            }
            SessionEvent::Heartbeat(beat) if self.truth.is_welcomed(session) => {
                let held: Vec<LeaseId> = beat.held.iter().map(|held| held.lease).collect();
                self.truth.renew(&held, until);
            }
            SessionEvent::Results(results) if self.truth.is_welcomed(session) => {
                for result in results {
                    if let Some(known) = self.truth.leases.get_mut(&result.lease) {
                        known.told = true;
                    }
                }
            }
            SessionEvent::Closed => self.truth.parted(session),
            _ => {}
        }
    }

    /// The coordinator itself stood still: every lease that had not run out before begins anew.
    pub(crate) fn truth_stalled(&mut self, last: Now, now: Now) {
        let until = now.mono.plus(self.lease_ms());
        for known in self.truth.leases.values_mut() {
            if known.until > last.mono {
                known.until = known.until.max(until);
            }
        }
    }

    /// The core has decided something; nothing of it is durable yet.
    pub(crate) fn truth_decided(&mut self, now: Now, fx: &Effects) -> Checked {
        for (session, send) in &fx.sends {
            if let Send::Welcome(_) = send {
                let until = now.mono.plus(self.lease_ms());
                self.truth.welcome(*session, until);
            }
        }
        for (session, _) in &fx.closes {
            self.truth.parted(*session);
        }
        for write in &fx.writes {
            match write {
                Write::Offer(row) => self.offer_decided(now, row)?,
                Write::State(row) => self.state_decided(now, row)?,
                Write::Final(row) => self.final_decided(now, row)?,
                Write::Submit(_) | Write::OfferDone(_) | Write::Node(_) => {}
            }
        }
        Ok(())
    }

    fn offer_decided(&mut self, now: Now, row: &OfferRow) -> Checked {
        for offered in &row.offers {
            let (lease, id) = (offered.lease, offered.task);
            if self.truth.leases.contains_key(&lease) {
                return broken("lease", format!("{lease} names two attempts"));
            }
            let Some(task) = self.truth.tasks.get(&id) else {
                return broken(
                    "lease",
                    format!("{lease} is of {id}, which nobody submitted"),
                );
            };
            if task.decided.is_some() || task.recorded.is_some() {
                return broken("final", format!("{id} is placed although it is final"));
            }
            if task.cancelling.is_some() {
                return broken(
                    "cancel",
                    format!("{id} is placed although it is being cancelled"),
                );
            }
            for before in task.leases.clone() {
                self.check_gone(now, before, lease)?;
            }
            if self.truth.latest(id).is_some_and(|latest| latest >= lease) {
                return broken(
                    "lease",
                    format!("{lease} of {id} is not newer than the attempt before"),
                );
            }
            self.truth.leases.insert(
                lease,
                LeaseTruth {
                    task: id,
                    attempt: offered.number,
                    durable: false,
                    until: now.mono.plus(self.lease_ms()),
                    told: false,
                    closed: false,
                    started: None,
                    wedged: false,
                    node: row.node.to_string(),
                    ended_by: None,
                },
            );
            if let Some(task) = self.truth.tasks.get_mut(&id) {
                task.leases.push(lease);
            }
        }
        Ok(())
    }

    /// No attempt starts elsewhere while its predecessor may still run, unless its lease has run out.
    fn check_gone(&self, now: Now, before: LeaseId, next: LeaseId) -> Checked {
        let Some(known) = self
            .truth
            .leases
            .get(&before)
            .filter(|known| now.mono < known.until)
        else {
            return Ok(());
        };
        if let Some(holder) = self.holder_of(before, known.told)
            && !self.is_excused(before)
        {
            return broken(
                "elsewhere",
                format!(
                    "{} is placed again as {next} while {holder}, with {} ms left",
                    known.task,
                    known.until.since(now.mono)
                ),
            );
        }
        let leftover = self
            .machines
            .iter()
            .find(|machine| machine.leftovers.iter().any(|(lease, ..)| *lease == before));
        match leftover {
            Some(machine) if !self.is_excused(before) => broken(
                "elsewhere",
                format!(
                    "{} is placed again as {next} while {} still runs {before}",
                    known.task, machine.name
                ),
            ),
            _ => Ok(()),
        }
    }

    /// The living process that has an attempt which may run, or its result which is not told.
    fn holder_of(&self, lease: LeaseId, told: bool) -> Option<String> {
        self.procs.values().find_map(|proc| {
            let held = proc
                .state
                .held()
                .into_iter()
                .find(|held| held.lease == lease);
            let what = match held.map(|held| held.state) {
                Some(LeaseState::Finished) if told => return None,
                Some(state) => format!("{state:?}"),
                None if proc.programs.contains_key(&lease) => "ending".to_owned(),
                None => return None,
            };
            Some(format!("{} has {lease} ({what})", proc.id))
        })
    }

    /// Attempts that cannot be ended, and those of an identity that two machines have, are beyond what can be promised.
    fn is_excused(&self, lease: LeaseId) -> bool {
        let wedged = self
            .truth
            .leases
            .get(&lease)
            .is_some_and(|known| known.wedged);
        wedged
            || self
                .procs
                .values()
                .any(|proc| proc.programs.contains_key(&lease) && proc.programs[&lease].wedged)
            || !self.truth.copied.is_empty()
    }

    fn state_decided(&mut self, now: Now, row: &StateRow) -> Checked {
        self.check_caps(row.id, row.retries, row.losses, row.deaths)?;
        self.check_attempts(row.id, &row.attempts)?;
        self.closings(now, &row.attempts)
    }

    fn check_caps(&self, id: TaskId, retries: u32, losses: u32, deaths: u32) -> Checked {
        let settings = &self.coordinator.settings;
        let Some(plan) = self
            .truth
            .tasks
            .get(&id)
            .map(|task| &self.plans[task.number])
        else {
            return broken("final", format!("a record of {id}, which nobody submitted"));
        };
        let over = retries > plan.max_retries
            || losses > settings.loss_cap
            || deaths > settings.poison_cap;
        if over && !plan.daemon {
            return broken(
                "caps",
                format!(
                    "{id}: {retries} retries of {}, {losses} losses, {deaths} deaths",
                    plan.max_retries
                ),
            );
        }
        Ok(())
    }

    /// Attempts on record follow each other without a gap.
    fn check_attempts(&self, id: TaskId, attempts: &[PastAttempt]) -> Checked {
        for pair in attempts.windows(2) {
            if pair[1].number != pair[0].number + 1 || pair[1].lease <= pair[0].lease {
                return broken(
                    "attempts",
                    format!(
                        "{id}: attempt {} {} follows {} {}",
                        pair[1].number, pair[1].lease, pair[0].number, pair[0].lease
                    ),
                );
            }
        }
        Ok(())
    }

    /// Attempts that are newly on record as ended: each needs a cause.
    fn closings(&mut self, now: Now, attempts: &[PastAttempt]) -> Checked {
        for attempt in attempts {
            let lease = attempt.lease;
            let Some(known) = self.truth.leases.get(&lease).filter(|known| !known.closed) else {
                continue;
            };
            let reported = attempt
                .outcome
                .is_some_and(|outcome| outcome != Outcome::WorkerDied);
            if reported && !known.told {
                return broken(
                    "result",
                    format!(
                        "{lease} is on record as {:?}, which no worker has told",
                        attempt.outcome
                    ),
                );
            }
            if !reported
                && attempt.code == ReasonCode::Lost
                && now.mono < known.until
                && !self.is_excused(lease)
            {
                let spooled = self
                    .machines
                    .iter()
                    .find(|machine| machine.dir.spool.contains_key(&lease));
                let ended_by = known.ended_by.and_then(|id| self.procs.get(&id));
                let holder = self
                    .holder_of(lease, known.told)
                    .or_else(|| Some(format!("{} has its result on disk", spooled?.name)).filter(|_| !known.told))
                    .or_else(|| Some(format!("{} has had its result", ended_by?.id)).filter(|_| !known.told));
                if let Some(holder) = holder {
                    return broken(
                        "lost",
                        format!(
                            "{lease} of {} is given up while {holder}, with {} ms left",
                            known.task,
                            known.until.since(now.mono)
                        ),
                    );
                }
            }
            if let Some(known) = self.truth.leases.get_mut(&lease) {
                known.closed = true;
            }
        }
        Ok(())
    }

    fn final_decided(&mut self, now: Now, row: &FinalRow) -> Checked {
        self.trace(format_args!(
            "{} is {}: {} {}",
            row.id, row.status, row.code, row.detail
        ));
        self.check_caps(row.id, row.retries, row.losses, 0)?;
        self.check_attempts(row.id, &row.attempts)?;
        let Some(task) = self.truth.tasks.get(&row.id) else {
            return broken(
                "final",
                format!("an end of {}, which nobody submitted", row.id),
            );
        };
        if let Some(before) = task.decided {
            return broken(
                "final",
                format!("{} is {before} and becomes {}", row.id, row.status),
            );
        }
        let latest = task.leases.last().copied();
        self.check_result(row, latest)?;
        self.closings(now, &row.attempts)?;
        if !Recorded::of(row).away {
            self.check_ended(now, row, latest)?;
        }
        if let Some(task) = self.truth.tasks.get_mut(&row.id) {
            task.decided = Some(row.status);
        }
        Ok(())
    }

    /// A result is that of the task's latest attempt.
    fn check_result(&self, row: &FinalRow, latest: Option<LeaseId>) -> Checked {
        if row.status != TaskStatus::Completed {
            return Ok(());
        }
        let last = row.attempts.last().map(|attempt| attempt.lease);
        let payload = v1::TaskResult::decode(row.payload.clone());
        let text = payload.map(|payload| payload.result).unwrap_or_default();
        let wanted = latest.map(|lease| format!("{{\"lease\":\"{lease}\"}}"));
        if last != latest || wanted.as_deref() != Some(&*text) {
            return broken(
                "result",
                format!(
                    "{}: its latest attempt is {latest:?}, the one on record {last:?}, the result says {text}",
                    row.id
                ),
            );
        }
        Ok(())
    }

    /// A task does not end while its latest attempt runs, unless its lease has run out or its node is away.
    fn check_ended(&self, now: Now, row: &FinalRow, latest: Option<LeaseId>) -> Checked {
        let Some(lease) = latest else {
            return Ok(());
        };
        let Some(known) = self
            .truth
            .leases
            .get(&lease)
            .filter(|known| now.mono < known.until)
        else {
            return Ok(());
        };
        match self.holder_of(lease, known.told) {
            Some(holder) if !known.told && !self.is_excused(lease) => broken(
                "elsewhere",
                format!(
                    "{} becomes {} while {holder}, with {} ms left",
                    row.id,
                    row.status,
                    known.until.since(now.mono)
                ),
            ),
            _ => Ok(()),
        }
    }

    /// A batch is on disk.
    pub(crate) fn truth_durable(&mut self, writes: &[Write]) -> Checked {
        for write in writes {
            match write {
                Write::Submit(row) => {
                    if let Some(task) = self.truth.tasks.get_mut(&row.task.id) {
                        task.durable = true;
                    }
                }
                Write::Offer(row) => {
                    for offered in &row.offers {
                        if let Some(known) = self.truth.leases.get_mut(&offered.lease) {
                            known.durable = true;
                        }
                    }
                }
                Write::Final(row) => self.final_durable(row)?,
                Write::State(_) | Write::OfferDone(_) | Write::Node(_) => {}
            }
        }
        Ok(())
    }

    fn final_durable(&mut self, row: &FinalRow) -> Checked {
        let Some(task) = self.truth.tasks.get_mut(&row.id) else {
            return broken(
                "final",
                format!("an end of {}, which nobody submitted", row.id),
            );
        };
        if let Some(before) = &task.recorded {
            return broken(
                "final",
                format!(
                    "{} was {} on disk and is now {}",
                    row.id, before.status, row.status
                ),
            );
        }
        task.recorded = Some(Recorded::of(row));
        Ok(())
    }

    /// Nobody knows whether this batch is on disk.
    pub(crate) fn truth_in_doubt(&mut self, writes: Vec<Write>) {
        self.truth.doubtful.extend(writes);
    }

    /// A run of the core begins with what is on disk.
    pub(crate) fn truth_restored(
        &mut self,
        loaded: &Loaded,
        reader: &dyn Reader,
        now: Now,
    ) -> Checked {
        let kept: BTreeSet<_> = loaded.offers.iter().map(|row| row.id).collect();
        for write in std::mem::take(&mut self.truth.doubtful) {
            let there = match &write {
                Write::Submit(row) => matches!(reader.submit(row.task.id), Ok(Some(_))),
                Write::Final(row) => matches!(reader.finished(row.id), Ok(Some(_))),
                Write::Offer(row) => kept.contains(&row.id),
                Write::State(_) | Write::OfferDone(_) | Write::Node(_) => false,
            };
            if there {
                self.truth_durable(&[write])?;
            }
        }
        self.truth.forget_undurable();
        self.truth.forget_sessions();
        self.check_tasks_kept(loaded, reader)?;
        self.check_all_or_none()?;
        self.restore_leases(loaded, now);
        Ok(())
    }

    /// What was acknowledged is there, what is final stays as it was, and nothing else has come.
    fn check_tasks_kept(&self, loaded: &Loaded, reader: &dyn Reader) -> Checked {
        let live: BTreeSet<TaskId> = loaded.tasks.iter().map(|row| row.task.id).collect();
        for (id, task) in &self.truth.tasks {
            let should = task.durable && task.recorded.is_none();
            if live.contains(id) != should {
                return broken(
                    "durable",
                    format!(
                        "after a restart {id} is {}among the live tasks (acknowledged: {})",
                        if should { "not " } else { "" },
                        task.acknowledged
                    ),
                );
            }
            let Some(recorded) = &task.recorded else {
                continue;
            };
            match reader.finished(*id) {
                Ok(Some(row)) if Recorded::of(&row) == *recorded => {}
                Ok(Some(row)) => {
                    return broken(
                        "final",
                        format!(
                            "{id} was {} on disk and is now {}",
                            recorded.status, row.status
                        ),
                    );
                }
                Ok(None) => return broken("final", format!("the end of {id} is gone")),
                Err(error) => return broken("store", error.to_string()),
            }
        }
        match live.iter().find(|id| !self.truth.tasks.contains_key(id)) {
            Some(id) => broken(
                "durable",
                format!("after a restart there is {id}, which nobody submitted"),
            ),
            None => Ok(()),
        }
    }

    /// A request is on disk whole or not at all.
    fn check_all_or_none(&self) -> Checked {
        for (index, request) in self.requests.iter().enumerate() {
            for ids in &request.handed {
                let there = ids.iter().filter(|id| self.truth.tasks[id].durable).count();
                if there != 0 && there != ids.len() {
                    return broken(
                        "durable",
                        format!(
                            "of request {index} there are {there} of {} tasks",
                            ids.len()
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// After a restart leases last for a whole one more, those of nodes long silent for less.
    fn restore_leases(&mut self, loaded: &Loaded, now: Now) {
        let settings = &self.coordinator.settings;
        let mut graces: BTreeMap<&str, u64> = BTreeMap::new();
        for node in &loaded.nodes {
            let silent =
                now.wall.since(node.last_seen) > settings.silent_leases * settings.lease_ms;
            let grace = if silent {
                settings.silent_grace_ms
            } else {
                settings.lease_ms
            };
            graces.insert(&node.name, grace.min(settings.lease_ms));
        }
        for known in self.truth.leases.values_mut() {
            known.until = Mono(0);
        }
        for row in &loaded.offers {
            let grace = graces.get(&*row.node).copied().unwrap_or(0);
            for offered in &row.offers {
                if self.truth.latest(offered.task) == Some(offered.lease)
                    && let Some(known) = self.truth.leases.get_mut(&offered.lease)
                {
                    known.until = now.mono.plus(grace);
                }
            }
        }
        for state in &loaded.states {
            for attempt in &state.attempts {
                if let Some(known) = self.truth.leases.get_mut(&attempt.lease) {
                    known.closed = true;
                }
            }
        }
    }

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

    /// Whoever says that a program runs whose task is being cancelled is told to end it before that is acknowledged.
    pub(crate) fn check_cancels(&self, id: ProcId, composed: u64) -> Checked {
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let spared = |lease: &&LeaseId| {
            let known = self.truth.leases.get(lease)?;
            let since = self.truth.tasks.get(&known.task)?.cancelling?;
            let (_, started) = known.started?;
            let told = proc.programs[lease].asked();
            (!told && since < composed && started < composed && self.truth.latest(known.task) == Some(**lease)).then_some(())
        };
        match proc.programs.keys().find(|lease| spared(lease).is_some()) {
            Some(lease) if self.truth.copied.is_empty() => {
                broken("cancel", format!("{} still runs {lease}, which was cancelled", proc.id))
            }
            _ => Ok(()),
        }
    }

    /// What the core shows of nodes and counts is true.
    pub(crate) fn check_view(&mut self, now: Now) -> Checked {
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        let view = run.core.view(now);
        let live = run.core.live_tasks();
        let counted = view.pending + view.scheduled + view.running;
        if u64::try_from(live).ok() != Some(counted) {
            return broken("view", format!("{live} tasks are live, {counted} are shown"));
        }
        for node in &view.nodes {
            let connected = self.truth.is_connected(&node.name);
            if connected == (node.status == NodeStatus::Offline) {
                return broken("view", format!("{} is shown as {}, but connected: {connected}", node.name, node.status));
            }
        }
        Ok(())
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

    /// The core's answer reaches a client.
    pub(crate) fn truth_answers(&mut self, waiter: Waiter, reply: Reply) -> Checked {
        match (waiter, reply) {
            (Waiter::Submit(index), Reply::Submitted(outcome)) => self.submitted(index, outcome),
            (Waiter::Cancel(task), Reply::Cancelled(outcome)) => {
                self.cancel_answered(task, outcome)
            }
            (Waiter::Ask(task), Reply::Task(None)) => self.truth_is_final(task),
            (Waiter::Ask(_), Reply::Task(Some(live))) if live.state.status.is_final() => broken(
                "final",
                format!("{} is live and {}", live.state.id, live.state.status),
            ),
            (Waiter::Ask(_), Reply::Task(Some(_))) => Ok(()),
            (waiter, reply) => broken("driver", format!("{waiter:?} was answered with {reply:?}")),
        }
    }

    /// A task that is no longer live has an end that can be read.
    pub(crate) fn truth_is_final(&self, task: TaskId) -> Checked {
        let known = self.truth.tasks.get(&task);
        let recorded = known.is_some_and(|known| known.recorded.is_some());
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        match run.reader.finished(task) {
            Ok(Some(_)) if recorded => Ok(()),
            Ok(_) => broken("durable", format!("{task} is not live and has no end")),
            Err(error) => broken("store", error.to_string()),
        }
    }

    /// A client is told what became of its wish to cancel.
    pub(crate) fn truth_cancelled(&mut self, task: TaskId, status: TaskStatus) -> Checked {
        if status.is_final() {
            return self.truth_is_final(task);
        }
        let now = self.now;
        if let Some(known) = self.truth.tasks.get_mut(&task) {
            known.cancelling.get_or_insert(now);
        }
        Ok(())
    }
}
