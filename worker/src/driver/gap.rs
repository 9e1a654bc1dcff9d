//! Noticing that the machine slept: its two clocks no longer agree.

use openclaw_common::time::Now;

/// Difference in milliseconds beyond which the clocks count as torn apart.
const TORN_MS: u64 = 5_000;

/// Compares the clocks from one look to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    last: Now,
}

impl Gap {
    pub(super) fn new(now: Now) -> Self {
        Self { last: now }
    }

    /// The larger of the two spans since the last look, in milliseconds, when they differ by more than 5 s: the machine
    /// slept, or somebody set its clock.
    pub(super) fn look(&mut self, now: Now) -> Option<u64> {
        let mono = now.mono.since(self.last.mono);
        let (wall, back) = (
            now.wall.since(self.last.wall),
            self.last.wall.since(now.wall),
        );
        self.last = now;
        let torn = mono.abs_diff(wall).saturating_add(back) > TORN_MS;
        torn.then_some(mono.max(wall))
    }
}

#[cfg(test)]
mod tests {
    use openclaw_common::time::{Mono, Now, Wall};

    use super::Gap;

    fn look(mono: u64, wall: i64) -> Option<u64> {
        let start = Now {
            mono: Mono(50_000),
            wall: Wall(1_000_000),
        };
        let wall = Wall(1_000_000_u64.saturating_add_signed(wall));
        Gap::new(start).look(Now {
            mono: start.mono.plus(mono),
            wall,
        })
    }

    #[test]
    fn clocks_that_agree_are_no_gap_however_late_the_look() {
        assert_eq!(look(1_000, 1_000), None);
        assert_eq!(look(60_000, 60_000), None);
        assert_eq!(look(1_000, 5_900), None);
    }

    #[test]
    fn a_sleep_and_a_clock_that_was_set_are_gaps() {
        assert_eq!(
            look(1_000, 481_000),
            Some(481_000),
            "Linux and macOS stop the monotonic clock"
        );
        assert_eq!(look(481_000, 1_000), Some(481_000));
        assert_eq!(look(1_000, -60_000), Some(1_000), "set back");
    }
}
