//! What the coordinator says about leases: one row for each verdict and stage.

use openclaw_common::id::LeaseId;
use openclaw_common::time::Now;

use super::attempt::{Attempt, KillFor, Killing, Stage};
use super::machine::State;
use super::{Effects, Kill, Verdict, VerdictAction};

/// A result that was sent this recently is on its way: the verdict was composed before it arrived.
const RESEND_AFTER_MS: u64 = 1_000;

/// How an attempt is to be ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub why: KillFor,
    pub now: bool,
    pub forget: bool,
}

impl Manner {
    pub(super) const fn coordinator() -> Self {
        Self {
            why: KillFor::Coordinator,
            now: false,
            forget: false,
        }
    }

    pub(super) const fn hand_back(now: bool) -> Self {
        Self {
            why: KillFor::HandBack,
            now,
            forget: false,
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, now: Now, verdict: Verdict, fx: &mut Effects) {
        // What is not held was given back, acknowledged or never arrived: the next heartbeat shows that it is missing.
        let Some(attempt) = self.attempts.get(&verdict.lease) else {
            return;
        };
        match (&attempt.stage, verdict.action) {
            (Stage::Queued(queued), VerdictAction::Resume) => {
                self.ready.insert(queued.order, verdict.lease);
            }
            (Stage::Queued(_), VerdictAction::Kill { forget: false }) => {
                self.release(verdict.lease, "");
            }
            (Stage::Queued(_), VerdictAction::Kill { forget: true } | VerdictAction::Forget) => {
                self.drop_queued(verdict.lease);
            }
            (Stage::Running(_), VerdictAction::Kill { forget }) => {
                self.end_running(
                    verdict.lease,
                    Manner {
                        forget,
                        ..Manner::coordinator()
                    },
                    fx,
                );
            }
            (Stage::Running(_), VerdictAction::Forget) => {
                self.end_running(
                    verdict.lease,
                    Manner {
                        forget: true,
                        ..Manner::coordinator()
                    },
                    fx,
                );
            }
            (Stage::Done(done), VerdictAction::SendResult) => {
                if done
                    .sent_at
                    .is_none_or(|at| now.mono.since(at) >= RESEND_AFTER_MS)
                {
                    self.queue_result(verdict.lease);
                }
            }
            (Stage::Done(_), VerdictAction::Kill { forget: true } | VerdictAction::Forget) => {
                self.result_acked(verdict.lease, fx);
            }
            // It goes on, or its end is on its way.
            (Stage::Running(_), VerdictAction::Resume | VerdictAction::SendResult)
            | (Stage::Done(_), VerdictAction::Resume | VerdictAction::Kill { forget: false })
            | (Stage::Queued(_), VerdictAction::SendResult) => {}
        }
    }

    /// Ends a running attempt. Asking again changes nothing unless it asks for more: at once, or not for a stop but
    /// because the coordinator wants it.
    pub(super) fn end_running(&mut self, lease: LeaseId, manner: Manner, fx: &mut Effects) {
        let Some(Attempt {
            stage: Stage::Running(running),
            ..
        }) = self.attempts.get_mut(&lease)
        else {
            return;
        };
        running.forget |= manner.forget;
        let before = running.kill;
        let (why, now) = before.map_or((manner.why, manner.now), |kill| {
            (kill.why.max(manner.why), kill.now || manner.now)
        });
        let sharpened = Some(Killing { why, now });
        if before != sharpened {
            running.kill = sharpened;
            fx.kills.push(Kill {
                lease,
                hand_back: why == KillFor::HandBack,
                now,
            });
        }
    }
}
