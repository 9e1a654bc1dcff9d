//! The only place that reads the clocks. Everything that decides takes the time as an argument.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use openclaw_common::time::{Mono, Now, Wall};

/// When this process first asked for the time: the zero of every [`Mono`].
static STARTED: OnceLock<Instant> = OnceLock::new();

/// Reads both clocks of the machine. All clocks of one process share one zero, so their readings compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock; the first one made in a process sets the zero of monotonic time.
    pub fn new() -> Self {
        Self {
            started: *STARTED.get_or_init(Instant::now),
        }
    }

    /// Both clocks, read as closely together as the machine allows.
    ///
    /// The monotonic one stands still while Linux and macOS sleep, and runs on while Windows does: a difference
    /// between the two is how a sleep is noticed.
    pub fn now(&self) -> Now {
        Now {
            mono: self.mono(),
            wall: Self::wall(),
        }
    }

    /// Milliseconds since the first clock of this process was made.
    pub fn mono(&self) -> Mono {
        Mono(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The [`Instant`] at which [`Clock::mono`] reads `at`, for timers; `None` past the end of the machine's clock.
    pub fn instant_of(&self, at: Mono) -> Option<Instant> {
        self.started
            .checked_add(std::time::Duration::from_millis(at.0))
    }

    /// Milliseconds since 1970 (UTC); 0 when the machine's date lies before that.
    fn wall() -> Wall {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Wall(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_of_one_process_agree() {
        let first = Clock::new();
        let earlier = first.mono();
        let second = Clock::new();
        assert!(second.mono() >= earlier);
        assert_eq!(first.instant_of(Mono(0)), second.instant_of(Mono(0)));
    }

    #[test]
    fn wall_time_is_that_of_this_century() {
        let Wall(milliseconds) = Clock::new().now().wall;
        assert!(
            milliseconds > 1_577_836_800_000,
            "before 2020: {milliseconds}"
        );
    }
}
