//! Time as an attempt spends it: hours in which the machine slept are not counted.

use std::time::{Duration, Instant};

/// Longest time between two readings that is taken at face value where the machine's clock runs on in its sleep.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// How often an attempt looks at its clock, at least.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Adds up time awake. Must be read at least every [`TICK`].
#[derive(Debug)]
pub(super) struct AwakeClock {
    last: Instant,
    awake: Duration,
    runs_in_sleep: bool,
}

impl AwakeClock {
    /// A clock that starts at `now`.
    pub(super) fn new(now: Instant) -> Self {
        // The monotonic clocks of Linux and macOS stand still while the machine sleeps; that of Windows does not.
        Self {
            last: now,
            awake: Duration::ZERO,
            runs_in_sleep: cfg!(windows),
        }
    }

    /// Time awake until `now`.
    pub(super) fn read(&mut self, now: Instant) -> Duration {
        let step = now.saturating_duration_since(self.last);
        self.last = now;
        self.awake += if self.runs_in_sleep && step > LONGEST_STEP {
            TICK
        } else {
            step
        };
        self.awake
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// The longest run.
    Timeout(Duration),
    /// The longest time without progress.
    Progress(Duration),
}

/// The time limits of an attempt, in time awake.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    timeout: Option<Duration>,
    progress: Option<Duration>,
    last_progress: Duration,
}

impl Limits {
    /// Limits from the moment of the start.
    pub(super) fn new(timeout: Option<Duration>, progress: Option<Duration>) -> Self {
        Self {
            timeout,
            progress,
            last_progress: Duration::ZERO,
        }
    }

    /// There was progress after this time awake.
    pub(super) fn progressed(&mut self, awake: Duration) {
        self.last_progress = awake;
    }

    /// The limit that has been reached after this time awake.
    pub(super) fn reached(&self, awake: Duration) -> Option<Limit> {
        let ran_out = self
            .timeout
            .filter(|limit| awake >= *limit)
            .map(Limit::Timeout);
        let silent = awake.saturating_sub(self.last_progress);
        ran_out.or_else(|| {
            self.progress
                .filter(|limit| silent >= *limit)
                .map(Limit::Progress)
        })
    }

    /// How long to wait before looking again: until the next limit, at most `most`, at least a millisecond.
    pub(super) fn wait(&self, awake: Duration, most: Duration) -> Duration {
        let until = |at: Option<Duration>| at.map_or(most, |at| at.saturating_sub(awake));
        let progress = self
            .progress
            .map(|limit| self.last_progress.saturating_add(limit));
        until(self.timeout)
            .min(until(progress))
            .min(most)
            .max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_sleep_is_not_counted_where_the_clock_runs_through_it() {
        let start = Instant::now();
        let mut clock = AwakeClock {
            runs_in_sleep: true,
            ..AwakeClock::new(start)
        };
        assert_eq!(clock.read(start + ms(200)), ms(200));
        assert_eq!(clock.read(start + ms(600_200)), ms(200) + TICK);
        let mut clock = AwakeClock {
            runs_in_sleep: false,
            ..AwakeClock::new(start)
        };
        assert_eq!(
            clock.read(start + ms(600_000)),
            ms(600_000),
            "a stalled worker is no sleeping machine"
        );
    }

    #[test]
    fn progress_moves_its_own_limit_only() {
        let mut limits = Limits::new(Some(ms(100)), Some(ms(30)));
        assert_eq!(limits.wait(ms(10), ms(500)), ms(20));
        limits.progressed(ms(29));
        assert_eq!(limits.reached(ms(58)), None);
        assert_eq!(limits.reached(ms(59)), Some(Limit::Progress(ms(30))));
        assert_eq!(
            limits.reached(ms(100)),
            Some(Limit::Timeout(ms(100))),
            "the timeout is named first"
        );
    }
}
