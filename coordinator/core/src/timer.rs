//! Deadlines, in order. A timer that fires for a deadline that has moved is harmless.

use std::collections::BTreeSet;

use openclaw_common::time::Mono;

use crate::arena::{NodeKey, TaskKey};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A gate opens.
    Gate(TaskKey),
    /// A task has waited too long for its first start.
    Queue(TaskKey),
    /// An attempt has run past timeout, grace and backstop.
    Backstop(TaskKey),
    /// Silence of a node, the end of its leases, or of a takeover.
    Node(NodeKey),
    /// Every node is looked at, whatever deadline it has.
    Sweep,
}

/// All armed deadlines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers {
    set: BTreeSet<(Mono, Timer)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Mono, timer: Timer) {
        self.set.insert((at, timer));
    }

    pub(crate) fn disarm(&mut self, at: Mono, timer: Timer) {
        self.set.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Mono> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline that is due.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = *self.set.first()?;
        if at > now {
            return None;
        }
        self.set.pop_first();
        Some(timer)
    }

    pub(crate) fn contains(&self, at: Mono, timer: Timer) -> bool {
        self.set.contains(&(at, timer))
    }
}
