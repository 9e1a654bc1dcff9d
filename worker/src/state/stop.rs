//! The way to a stop: leave, let go, hand back, say goodbye.

use std::sync::Arc;

use openclaw_common::id::LeaseId;
use openclaw_common::time::{Mono, Now};

use super::attempt::{Attempt, Disk, Stage};
use super::link::Link;
use super::machine::State;
use super::verdict::Manner;
use super::{Effects, Exit, Notice};

/// How long acknowledgements are waited for once nothing runs.
const FINISH_MS: u64 = 5_000;
/// The same when the stop is to be at once.
const FINISH_NOW_MS: u64 = 1_000;
/// How long results that are not on disk are waited for beyond that.
const SPOOL_PATIENCE_MS: u64 = 10_000;

/// A stop under way.
#[derive(Debug)]
pub(super) struct Stop {
    pub reason: String,
    exit: Exit,
    /// Streams are still wanted.
    reconnect: bool,
    /// Asked for at once.
    at_once: bool,
    /// When to hand back what still runs; `None` once done.
    drain_at: Option<Mono>,
    /// The last offer batch of the present stream, as told by `LeavingAck`.
    last_offer_seq: Option<u64>,
    finish: Finish,
    bye: bool,
}

/// What a stop waits for last.
#[derive(Debug, Clone, Copy)]
enum Finish {
    /// Something runs.
    NotYet,
    /// Nothing runs: acknowledgements, until then.
    Acks(Mono),
    /// Results to be on disk, until then.
    Disk(Mono),
}

impl State {
    /// Bye is queued or was said: the end of the stream is what was asked for.
    pub(super) fn has_said_goodbye(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.bye)
    }

    /// A stream is of use.
    pub(super) fn wants_stream(&self) -> bool {
        self.stop
            .as_ref()
            .is_none_or(|stop| stop.reconnect && !stop.bye)
    }

    pub(super) fn stop_asked(&mut self, now: Now, at_once: bool, reason: String, fx: &mut Effects) {
        let drain_ms = if at_once {
            0
        } else {
            self.options.drain_timeout_ms
        };
        match &mut self.stop {
            Some(stop) if at_once => stop.at_once = true,
            Some(_) => return,
            None => {
                let stop = Stop {
                    reason: reason.clone(),
                    exit: Exit::Stopped,
                    reconnect: true,
                    at_once,
                    drain_at: Some(now.mono.plus(drain_ms)),
                    last_offer_seq: None,
                    finish: Finish::NotYet,
                    bye: false,
                };
                self.stop = Some(stop);
                fx.notices.push(Notice::Stopping {
                    reason: reason.clone(),
                    running: self.running(),
                    drain_ms,
                });
                self.release_queued("the worker stops");
                if self.is_open() {
                    self.outbox.leaving = Some(reason);
                }
            }
        }
        if at_once {
            self.hand_back_all(true, fx);
        }
    }

    /// The coordinator will never have this process again: end everything, keep the results on disk, exit.
    pub(super) fn never_reconnect(&mut self, now: Now, exit: Exit, detail: &str, fx: &mut Effects) {
        let drain_at = Some(now.mono);
        let stop = self.stop.take();
        self.stop = Some(Stop {
            reason: stop
                .as_ref()
                .map_or_else(|| detail.to_owned(), |stop| stop.reason.clone()),
            exit: stop.as_ref().map_or(exit, |stop| stop.exit),
            reconnect: false,
            at_once: true,
            drain_at,
            last_offer_seq: None,
            finish: Finish::NotYet,
            bye: false,
        });
        self.release_queued("");
        // Superseded attempts may run again elsewhere soon; with a token that is refused they run out their lease.
        self.hand_back_all(exit == Exit::IdentityTaken, fx);
    }

    pub(super) fn leaving_acked(&mut self, last_offer_seq: u64) {
        if let Some(stop) = &mut self.stop {
            stop.last_offer_seq = Some(last_offer_seq);
        }
    }

    /// Ends everything that runs, to be run again elsewhere.
    pub(super) fn hand_back_all(&mut self, now: bool, fx: &mut Effects) {
        for lease in self.executing().collect::<Vec<LeaseId>>() {
            self.end_running(lease, Manner::hand_back(now), fx);
        }
    }

    /// What was acknowledged on a lost stream says nothing about the next one.
    pub(super) fn stop_lost_its_stream(&mut self) {
        if let Some(stop) = &mut self.stop {
            stop.last_offer_seq = None;
        }
    }

    /// Attempts that run and can still be waited for.
    fn running(&self) -> usize {
        let waited_for = |attempt: &&Attempt| matches!(&attempt.stage, Stage::Running(running) if !running.wedged);
        self.attempts.values().filter(waited_for).count()
    }

    /// Takes a stop as far as it can go now.
    pub(super) fn settle_stop(&mut self, now: Now, fx: &mut Effects) {
        let Some(stop) = &mut self.stop else { return };
        if stop.drain_at.is_some_and(|at| at <= now.mono) {
            stop.drain_at = None;
            self.hand_back_all(false, fx);
        }
        if self.running() > 0 {
            return;
        }
        let (held, in_memory) = self.results_held();
        let seen_offer_seq = if let Link::Open(session) = &self.link {
            Some(session.seen_offer_seq)
        } else {
            None
        };
        let quiet = held == 0 && self.outbox.is_empty();
        let Some(stop) = &mut self.stop else { return };
        let patience = if stop.at_once {
            FINISH_NOW_MS
        } else {
            FINISH_MS
        };
        if matches!(stop.finish, Finish::NotYet) {
            stop.finish = Finish::Acks(now.mono.plus(patience));
        }
        if let (Some(seen), Some(last)) = (seen_offer_seq, stop.last_offer_seq)
            && quiet
            && !stop.bye
            && seen >= last
        {
            stop.bye = true;
            self.outbox.bye = Some(stop.reason.clone());
        }
        let nothing_to_tell = seen_offer_seq.is_none() && (held == 0 || !stop.reconnect);
        let (acks_over, disk_over) = match stop.finish {
            Finish::Acks(by) if by <= now.mono => {
                stop.finish = Finish::Disk(now.mono.plus(SPOOL_PATIENCE_MS));
                (true, false)
            }
            Finish::Acks(_) | Finish::NotYet => (false, false),
            Finish::Disk(by) => (true, by <= now.mono),
        };
        if disk_over || (in_memory == 0 && (nothing_to_tell || acks_over)) {
            fx.exit = Some(stop.exit);
        } else if acks_over {
            self.spool_all(fx);
        }
    }

    /// Results held, and those of them that are not on disk.
    fn results_held(&self) -> (usize, usize) {
        self.attempts
            .values()
            .fold((0, 0), |(held, in_memory), attempt| match &attempt.stage {
                Stage::Done(done) => (held + 1, in_memory + usize::from(done.disk != Disk::Yes)),
                _ => (held, in_memory),
            })
    }

    fn spool_all(&mut self, fx: &mut Effects) {
        for attempt in self.attempts.values_mut() {
            if let Stage::Done(done) = &mut attempt.stage
                && done.disk == Disk::No
            {
                done.disk = Disk::Writing;
                fx.spool_writes.push(Arc::clone(&done.finished));
            }
        }
    }

    /// The next moment at which a stop goes on by itself.
    pub(super) fn stop_deadline(&self) -> Option<Mono> {
        let stop = self.stop.as_ref()?;
        let finish = match stop.finish {
            Finish::NotYet => None,
            Finish::Acks(by) | Finish::Disk(by) => Some(by),
        };
        [stop.drain_at, finish].into_iter().flatten().min()
    }
}
