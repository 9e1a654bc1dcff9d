//! Rules of decisions: who may be placed, given up, ended, and with which result.

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::{Outcome, TaskStatus};
use openclaw_common::time::Now;
use openclaw_core::record::{FinalRow, OfferRow, PastAttempt, StateRow};
use openclaw_proto::v1;
use openclaw_worker::state::LeaseState;
use prost::Message as _;

use super::super::truth::{LeaseTruth, Recorded};
use super::super::verdict::{Checked, broken};
use super::super::world::World;

impl World {
    pub(crate) fn offer_decided(&mut self, now: Now, row: &OfferRow) -> Checked {
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
                if self.holder_of(before, false).is_some() {
                    self.reach("placed again after expiry");
                }
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
                    decided_at: self.now,
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
    pub(crate) fn holder_of(&self, lease: LeaseId, told: bool) -> Option<String> {
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
    pub(crate) fn is_excused(&self, lease: LeaseId) -> bool {
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

    pub(crate) fn state_decided(&mut self, now: Now, row: &StateRow) -> Checked {
        self.check_caps(row.id, row.retries, row.losses, row.deaths)?;
        check_attempts(row.id, &row.attempts)?;
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
                    .or_else(|| {
                        Some(format!("{} has its result on disk", spooled?.name))
                            .filter(|_| !known.told)
                    })
                    .or_else(|| {
                        Some(format!("{} has had its result", ended_by?.id)).filter(|_| !known.told)
                    });
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

    pub(crate) fn final_decided(&mut self, now: Now, row: &FinalRow) -> Checked {
        self.trace(format_args!(
            "{} is {}: {} {}",
            row.id, row.status, row.code, row.detail
        ));
        self.check_caps(row.id, row.retries, row.losses, 0)?;
        check_attempts(row.id, &row.attempts)?;
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
        check_result(row, latest)?;
        self.closings(now, &row.attempts)?;
        if !Recorded::of(row).away {
            self.check_ended(now, row, latest)?;
        }
        if let Some(task) = self.truth.tasks.get_mut(&row.id) {
            task.decided = Some(row.status);
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
}

/// Attempts on record follow each other without a gap.
fn check_attempts(id: TaskId, attempts: &[PastAttempt]) -> Checked {
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

/// A result is that of the task's latest attempt.
fn check_result(row: &FinalRow, latest: Option<LeaseId>) -> Checked {
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
