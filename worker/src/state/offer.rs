//! Offers: taken in, given back, started in order as far as the pools allow.

use openclaw_common::id::LeaseId;
use openclaw_common::time::Now;

use super::attempt::{Attempt, Queued, Running, Stage};
use super::link::Link;
use super::machine::State;
use super::{Effects, Finished, Notice, Offered};
use crate::model::{Ended, Job};

/// Ready attempts looked at behind one that does not fit.
const LOOK_AHEAD: usize = 64;
/// Attempts that may overtake one that does not fit before everything waits for it.
const OVERTAKE_LIMIT: u32 = 32;
/// Offers held beyond what was asked for, for batches that crossed with a change.
const QUEUE_SLACK: usize = 64;
/// The smallest share of a slot that a task takes, in thousandths.
const SMALLEST_SHARE_MILLI: u32 = 500;

impl State {
    pub(super) fn offered(
        &mut self,
        now: Now,
        seq: u64,
        offers: Vec<Offered>,
        more: bool,
        fx: &mut Effects,
    ) {
        let Link::Open(session) = &mut self.link else {
            return;
        };
        if seq <= session.seen_offer_seq {
            return;
        }
        if !more {
            session.seen_offer_seq = seq;
        }
        let mut refused = 0;
        for offer in offers {
            match offer {
                Offered::Job(job) if !self.attempts.contains_key(&job.lease) => {
                    refused += self.accept(now, job);
                }
                Offered::Unreadable {
                    lease,
                    task_id,
                    why,
                    ..
                } if !self.attempts.contains_key(&lease) => {
                    let finished = Finished {
                        lease,
                        task_id,
                        queued_ms: 0,
                        ended: Ended::not_started(why),
                    };
                    self.keep_result(now, finished, fx);
                }
                Offered::Job(_) | Offered::Unreadable { .. } => {}
            }
        }
        if refused > 0 {
            fx.notices.push(Notice::QueueFull { refused });
        }
    }

    /// Queues one offer, or gives it back; returns 1 when that was for lack of room.
    fn accept(&mut self, now: Now, job: Box<Job>) -> usize {
        if self.stop.is_some() {
            self.outbox.release(job.lease, "the worker stops");
        } else if !self.following.accept {
            self.outbox.release(job.lease, "the node takes no work now");
        } else if let Some(why) = self.pools.never_fits(&job.spec.demand) {
            self.outbox.release(job.lease, &why);
        } else if self.queued >= self.queue_bound() {
            self.outbox.release(job.lease, "the worker's queue is full");
            return 1;
        } else {
            self.enqueue(now, job);
        }
        0
    }

    fn enqueue(&mut self, now: Now, job: Box<Job>) {
        let (lease, task_id, order) = (job.lease, job.spec.task_id, self.next_order);
        self.next_order += 1;
        self.queued += 1;
        self.ready.insert(order, lease);
        let stage = Stage::Queued(Queued {
            order,
            offered_at: now.mono,
            job,
        });
        self.attempts.insert(lease, Attempt { task_id, stage });
    }

    /// Twice what the coordinator was told there is room for.
    fn queue_bound(&self) -> usize {
        let at_once = (self.options.pools.slots_milli / SMALLEST_SHARE_MILLI)
            .saturating_add(self.options.prefetch);
        usize::try_from(at_once)
            .unwrap_or(usize::MAX)
            .saturating_mul(2)
            .saturating_add(QUEUE_SLACK)
    }

    /// Starts ready attempts in order. One that does not fit is overtaken by those that do, a bounded number of times.
    pub(super) fn start_what_fits(&mut self, now: Now, fx: &mut Effects) {
        if self.ready.is_empty() || self.pools.slots_exhausted() || !self.may_start(now) {
            return;
        }
        let (mut from, mut passed) = (0, 0);
        let mut blocked: Option<u64> = None;
        while let Some((order, lease)) = self
            .ready
            .range(from..)
            .next()
            .map(|(order, lease)| (*order, *lease))
        {
            from = order + 1;
            if self.start(now, order, lease, fx) {
                self.overtaken.1 += u32::from(blocked.is_some());
            } else {
                let first = *blocked.get_or_insert(order);
                if self.overtaken.0 != first {
                    self.overtaken = (first, 0);
                }
                passed += 1;
            }
            let waited_enough = blocked.is_some() && self.overtaken.1 >= OVERTAKE_LIMIT;
            if waited_enough || passed >= LOOK_AHEAD || self.pools.slots_exhausted() {
                return;
            }
        }
    }

    /// Starts one ready attempt if it fits.
    fn start(&mut self, now: Now, order: u64, lease: LeaseId, fx: &mut Effects) -> bool {
        let Some(attempt) = self.attempts.get_mut(&lease) else {
            return false;
        };
        let Stage::Queued(queued) = &attempt.stage else {
            return false;
        };
        if !self.pools.fits(&queued.job.spec.demand) {
            return false;
        }
        let running = Running {
            demand: queued.job.spec.demand.clone(),
            queued_ms: now.mono.since(queued.offered_at),
            kill: None,
            forget: false,
            foreign: false,
            wedged: false,
        };
        self.pools.take(&running.demand);
        if let Stage::Queued(queued) =
            std::mem::replace(&mut attempt.stage, Stage::Running(running))
        {
            fx.starts.push(*queued.job);
        }
        self.ready.remove(&order);
        self.queued -= 1;
        true
    }

    /// Revoke is answered: given back, or started. What has ended is answered by its result.
    pub(super) fn revoked(&mut self, lease: LeaseId) {
        match self.attempts.get(&lease).map(|attempt| &attempt.stage) {
            Some(Stage::Queued(_)) => self.release(lease, ""),
            Some(Stage::Running(_)) => self.outbox.started.push(lease),
            Some(Stage::Done(_)) | None => {}
        }
    }

    /// Gives one queued attempt back.
    pub(super) fn release(&mut self, lease: LeaseId, reason: &str) {
        self.drop_queued(lease);
        self.outbox.release(lease, reason);
    }

    /// Gives every queued attempt back; without a stream the next Hello tells it by leaving them out.
    pub(super) fn release_queued(&mut self, reason: &str) {
        let is_queued = |(lease, attempt): (&LeaseId, &Attempt)| {
            matches!(attempt.stage, Stage::Queued(_)).then_some(*lease)
        };
        for lease in self
            .attempts
            .iter()
            .filter_map(is_queued)
            .collect::<Vec<_>>()
        {
            self.drop_queued(lease);
            if self.is_open() {
                self.outbox.release(lease, reason);
            }
        }
    }

    /// Forgets a queued attempt without a word.
    pub(super) fn drop_queued(&mut self, lease: LeaseId) {
        if let Some(Attempt {
            stage: Stage::Queued(queued),
            ..
        }) = self.attempts.get(&lease)
        {
            self.ready.remove(&queued.order);
            self.attempts.remove(&lease);
            self.queued -= 1;
        }
    }
}
