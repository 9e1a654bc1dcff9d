//! The streams of workers that this run of the core knows.

use std::collections::BTreeMap;

use openclaw_common::backoff::{scale, splitmix};
use openclaw_common::id::SessionId;

use crate::outbox::{End, Outbox};

/// When all workers are sent away at once, each gets this much of the time in which they come back.
const SPREAD_PER_WORKER_MS: u64 = 20;
const SPREAD_MOST_MS: u64 = 10_000;
/// Nobody comes back sooner: a coordinator that restarts needs a moment.
const SPREAD_LEAST_MS: u64 = 200;

/// The outboxes by stream.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<SessionId, Outbox>,
}

impl Sessions {
    /// A stream opened.
    pub(super) fn add(&mut self, session: SessionId, outbox: Outbox) {
        self.open.insert(session, outbox);
    }

    /// The outbox of a stream that is open.
    pub(super) fn get(&self, session: SessionId) -> Option<&Outbox> {
        self.open.get(&session)
    }

    /// A stream is over, or is to be.
    pub(super) fn remove(&mut self, session: SessionId) -> Option<Outbox> {
        self.open.remove(&session)
    }

    /// Sends everybody away, each with a delay of its own so that they don't come back at once. Returns who that was.
    pub(super) fn send_away(&mut self, reason: &str, mut seed: u64) -> Vec<SessionId> {
        let spread = u64::try_from(self.open.len())
            .unwrap_or(u64::MAX)
            .saturating_mul(SPREAD_PER_WORKER_MS)
            .min(SPREAD_MOST_MS);
        let open = std::mem::take(&mut self.open);
        for outbox in open.values() {
            outbox.close(draining(reason, spread, splitmix(&mut seed)));
        }
        open.into_keys().collect()
    }
}

/// An end that tells the worker to come back after a while.
pub(super) fn draining(reason: &str, spread_ms: u64, random: u64) -> End {
    let delay = SPREAD_LEAST_MS.saturating_add(scale(spread_ms, random));
    End::Draining {
        come_back_after_ms: u32::try_from(delay).unwrap_or(u32::MAX),
        reason: reason.to_owned(),
    }
}
