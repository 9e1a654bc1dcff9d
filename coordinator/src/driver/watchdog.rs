//! Whether the coordinator itself stood still: asleep, stopped, or held up by its disk.

use openclaw_common::time::Now;

/// The driver takes a turn at least this often, so that standing still can be told from having nothing to do.
pub(super) const TICK_MS: u64 = 1_000;
/// What more than this means that nobody's silence can be judged.
const TOLERANCE_MS: u64 = 5_000;

/// Compares each turn with the one before.
#[derive(Debug)]
pub(super) struct Watchdog {
    last: Now,
}

impl Watchdog {
    /// Begins at a turn.
    pub(super) const fn new(now: Now) -> Self {
        Self { last: now }
    }

    /// To be called once a turn with its time: how long, in milliseconds, the coordinator stood still before it.
    pub(super) fn turn(&mut self, now: Now) -> Option<u64> {
        let mono = now.mono.since(self.last.mono);
        let wall_ahead = now.wall.since(self.last.wall);
        let wall_back = self.last.wall.since(now.wall);
        let disagreement = if wall_back > 0 {
            mono.saturating_add(wall_back)
        } else {
            mono.abs_diff(wall_ahead)
        };
        let late = mono.saturating_sub(TICK_MS);
        self.last = now;
        if late > TOLERANCE_MS {
            return Some(mono.max(wall_ahead));
        }
        (disagreement > TOLERANCE_MS).then_some(disagreement)
    }
}

#[cfg(test)]
mod tests {
    use openclaw_common::time::{Mono, Now, Wall};

    use super::Watchdog;

    fn at(mono: u64, wall: u64) -> Now {
        Now {
            mono: Mono(mono),
            wall: Wall(1_000_000 + wall),
        }
    }

    #[test]
    fn ordinary_turns_are_no_stall() {
        let mut dog = Watchdog::new(at(0, 0));
        assert_eq!(dog.turn(at(1_000, 1_001)), None);
        assert_eq!(dog.turn(at(5_900, 5_900)), None);
        assert_eq!(dog.turn(at(5_900, 5_890)), None);
    }

    #[test]
    fn a_sleep_shows_as_wall_time_that_the_other_clock_did_not_see() {
        let mut dog = Watchdog::new(at(0, 0));
        assert_eq!(dog.turn(at(1_000, 601_000)), Some(600_000));
        assert_eq!(dog.turn(at(2_000, 602_000)), None);
    }

    #[test]
    fn a_stopped_process_shows_as_a_late_turn() {
        let mut dog = Watchdog::new(at(0, 0));
        assert_eq!(dog.turn(at(90_000, 90_000)), Some(90_000));
    }

    #[test]
    fn a_wall_clock_set_back_is_a_stall_too() {
        let mut dog = Watchdog::new(at(0, 500_000));
        assert_eq!(dog.turn(at(1_000, 100_000)), Some(401_000));
    }
}
