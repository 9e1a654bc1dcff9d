//! Rules of the disk: what is on it stays, whole, once; and a restart finds exactly that.

use std::collections::{BTreeMap, BTreeSet};

use openclaw_common::id::TaskId;
use openclaw_common::time::{Mono, Now};
use openclaw_coordinator::store::Reader;
use openclaw_core::record::{FinalRow, Loaded, Write};

use super::super::truth::Recorded;
use super::super::verdict::{Checked, broken};
use super::super::world::World;

impl World {
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
        let now = self.now;
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
        task.ended_at = Some(now);
        self.reach(row.code.as_str());
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
}
