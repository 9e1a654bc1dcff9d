//! The clocks of one machine against the one true time of the simulation.

use openclaw_common::time::{Mono, Now, Wall};

/// Where all wall clocks begin, in milliseconds since 1970.
const EPOCH: u64 = 1_750_000_000_000;

/// A machine's clocks: both run at the true rate; the monotonic one stands still in sleep, the wall clock jumps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    slept: u64,
    /// Milliseconds that the wall clock is ahead of the true time, from a day behind on.
    ahead: u64,
    frozen: Option<Freeze>,
}

/// A machine that sleeps, or a process that was stopped.
#[derive(Debug, Clone, Copy)]
struct Freeze {
    since: u64,
    until: u64,
    asleep: bool,
}

const DAY: u64 = 24 * 3_600_000;

impl Clock {
    /// A clock that is off by up to a day.
    pub(crate) fn off_by(ahead: u64) -> Self {
        Self {
            ahead,
            ..Self::default()
        }
    }

    /// Milliseconds that the machine has been awake.
    pub(crate) fn awake(&self, time: u64) -> u64 {
        let now = self
            .frozen
            .filter(|freeze| freeze.asleep)
            .map_or(time, |freeze| freeze.since);
        now.saturating_sub(self.slept)
    }

    /// Both clocks as a process reads them that began when the machine had been awake for `origin`.
    pub(crate) fn now(&self, time: u64, origin: u64) -> Now {
        Now {
            mono: Mono(self.awake(time).saturating_sub(origin) + 1),
            wall: Wall((EPOCH + time + self.ahead).saturating_sub(DAY)),
        }
    }

    /// Sets the wall clock ahead or back.
    pub(crate) fn jump(&mut self, ahead: u64, back: u64) {
        self.ahead = (self.ahead + ahead).saturating_sub(back);
    }

    /// Until when nothing happens here.
    pub(crate) fn frozen(&self) -> Option<u64> {
        self.frozen.map(|freeze| freeze.until)
    }

    /// Falls asleep, or is stopped. False: it stands still already.
    pub(crate) fn freeze(&mut self, since: u64, until: u64, asleep: bool) -> bool {
        if self.frozen.is_some() {
            return false;
        }
        self.frozen = Some(Freeze {
            since,
            until,
            asleep,
        });
        true
    }

    /// Goes on.
    pub(crate) fn thaw(&mut self, time: u64) {
        if let Some(freeze) = self.frozen.take()
            && freeze.asleep
        {
            self.slept += time.saturating_sub(freeze.since);
        }
    }
}
