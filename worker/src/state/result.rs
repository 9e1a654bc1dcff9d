//! From the executor's report to the coordinator's acknowledgement: a result is held until then, in memory first, on
//! disk when that takes long.

use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::LeaseId;
use openclaw_common::status::Outcome;
use openclaw_common::time::Now;

use super::attempt::{Attempt, Disk, Done, KillFor, Stage};
use super::machine::State;
use super::weight::make_it_fit;
use super::{Effects, Finished, Notice, Progress};
use crate::model::{Ended, Failure};

/// A result that is not acknowledged for this long goes to disk.
const SPOOL_AFTER_MS: u64 = 100;
/// A result that could not be written is tried again after this long.
const SPOOL_RETRY_MS: u64 = 5_000;

impl State {
    pub(super) fn started(&mut self, lease: LeaseId) {
        if self.is_open() && self.is_wanted(lease) {
            self.outbox.started.push(lease);
        }
    }

    pub(super) fn progressed(&mut self, lease: LeaseId, progress: Progress) {
        if self.is_open() && self.is_wanted(lease) {
            self.outbox.progress.insert(lease, progress);
        }
    }

    /// It runs, and somebody wants to know how it goes.
    pub(super) fn is_wanted(&self, lease: LeaseId) -> bool {
        match self.attempts.get(&lease) {
            Some(Attempt {
                stage: Stage::Running(running),
                ..
            }) => !running.forget,
            _ => false,
        }
    }

    pub(super) fn wedged(&mut self, lease: LeaseId, fx: &mut Effects) {
        let Some(attempt) = self.attempts.get_mut(&lease) else {
            return;
        };
        if let Stage::Running(running) = &mut attempt.stage {
            running.wedged = true;
            fx.notices.push(Notice::Wedged {
                lease,
                task_id: attempt.task_id,
            });
        }
    }

    pub(super) fn ended(&mut self, now: Now, lease: LeaseId, mut ended: Ended, fx: &mut Effects) {
        let Some(Attempt {
            task_id,
            stage: Stage::Running(running),
        }) = self.attempts.get(&lease)
        else {
            return;
        };
        let (task_id, queued_ms, forget) = (*task_id, running.queued_ms, running.forget);
        self.pools.give(&running.demand);
        if ended.outcome == Outcome::Killed
            && running
                .kill
                .is_some_and(|kill| kill.why == KillFor::HandBack)
        {
            hand_back(&mut ended);
        }
        self.outbox.progress.remove(&lease);
        if forget {
            self.attempts.remove(&lease);
        } else {
            self.keep_result(
                now,
                Finished {
                    lease,
                    task_id,
                    queued_ms,
                    ended,
                },
                fx,
            );
        }
    }

    /// Holds a result until it is acknowledged, and sends it if there is a stream.
    pub(super) fn keep_result(&mut self, now: Now, mut finished: Finished, fx: &mut Effects) {
        make_it_fit(&mut finished.ended);
        let (lease, task_id, open) = (finished.lease, finished.task_id, self.is_open());
        let finished = Arc::new(finished);
        let disk = if open { Disk::No } else { Disk::Writing };
        if open {
            self.outbox.results.push_back(lease);
            self.unspooled
                .push_back((now.mono.plus(SPOOL_AFTER_MS), lease));
        } else {
            fx.spool_writes.push(Arc::clone(&finished));
        }
        let stage = Stage::Done(Done {
            finished,
            disk,
            sent_at: None,
            in_outbox: open,
        });
        self.attempts.insert(lease, Attempt { task_id, stage });
    }

    /// The result is durable elsewhere, or not wanted.
    pub(super) fn result_acked(&mut self, lease: LeaseId, fx: &mut Effects) {
        if let Some(Attempt {
            stage: Stage::Done(done),
            ..
        }) = self.attempts.get(&lease)
        {
            if done.disk != Disk::No {
                fx.spool_removals.push(lease);
            }
            self.attempts.remove(&lease);
        }
        while self
            .unspooled
            .front()
            .is_some_and(|(_, lease)| !self.attempts.contains_key(lease))
        {
            self.unspooled.pop_front();
        }
    }

    /// Puts a result into the outbox unless it waits there.
    pub(super) fn queue_result(&mut self, lease: LeaseId) {
        if let Some(Attempt {
            stage: Stage::Done(done),
            ..
        }) = self.attempts.get_mut(&lease)
            && !done.in_outbox
        {
            done.in_outbox = true;
            self.outbox.results.push_back(lease);
        }
    }

    /// On a new stream: every result that no verdict took away or asked for.
    pub(super) fn send_unsent_results(&mut self) {
        let unsent = |(lease, attempt): (&LeaseId, &Attempt)| match &attempt.stage {
            Stage::Done(done) if done.sent_at.is_none() => Some(*lease),
            _ => None,
        };
        for lease in self.attempts.iter().filter_map(unsent).collect::<Vec<_>>() {
            self.queue_result(lease);
        }
    }

    /// The stream is gone: what was sent may not have arrived, so everything goes to disk.
    pub(super) fn results_lost_their_stream(&mut self, fx: &mut Effects) {
        self.unspooled.clear();
        for attempt in self.attempts.values_mut() {
            let Stage::Done(done) = &mut attempt.stage else {
                continue;
            };
            (done.sent_at, done.in_outbox) = (None, false);
            if done.disk == Disk::No {
                done.disk = Disk::Writing;
                fx.spool_writes.push(Arc::clone(&done.finished));
            }
        }
    }

    pub(super) fn spool_due(&mut self, now: Now, fx: &mut Effects) {
        for queue in [&mut self.unspooled, &mut self.respool] {
            while let Some((_, lease)) = queue.pop_front_if(|(at, _)| *at <= now.mono) {
                if let Some(Attempt {
                    stage: Stage::Done(done),
                    ..
                }) = self.attempts.get_mut(&lease)
                    && done.disk == Disk::No
                {
                    done.disk = Disk::Writing;
                    fx.spool_writes.push(Arc::clone(&done.finished));
                }
            }
        }
    }

    pub(super) fn spooled(&mut self, lease: LeaseId) {
        self.set_disk(lease, Disk::Yes);
    }

    pub(super) fn spool_failed(&mut self, now: Now, lease: LeaseId) {
        if self.set_disk(lease, Disk::No) {
            self.respool
                .push_back((now.mono.plus(SPOOL_RETRY_MS), lease));
        }
    }

    fn set_disk(&mut self, lease: LeaseId, disk: Disk) -> bool {
        match self.attempts.get_mut(&lease) {
            Some(Attempt {
                stage: Stage::Done(done),
                ..
            }) => {
                done.disk = disk;
                true
            }
            _ => false,
        }
    }

    /// Results of an earlier process: held like our own, and on disk already.
    pub(super) fn spool_loaded(&mut self, results: Vec<Finished>) {
        for finished in results {
            let (lease, task_id) = (finished.lease, finished.task_id);
            let done = Done {
                finished: Arc::new(finished),
                disk: Disk::Yes,
                sent_at: None,
                in_outbox: false,
            };
            self.attempts.entry(lease).or_insert(Attempt {
                task_id,
                stage: Stage::Done(done),
            });
        }
        if self.is_open() {
            self.send_unsent_results();
        }
    }
}

/// Renames the end of an attempt that was killed because the worker stops or drains.
fn hand_back(ended: &mut Ended) {
    ended.outcome = Outcome::HandedBack;
    let failure = ended.failure.take();
    ended.failure = Some(Failure {
        code: ReasonCode::HandedBack,
        message: "its node stopped or drained and gave it back".to_owned(),
        exit_code: None,
        signal: None,
        stderr_tail: failure
            .map(|failure| failure.stderr_tail)
            .unwrap_or_default(),
    });
}
