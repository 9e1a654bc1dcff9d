//! What strangers can cause as often as they like is logged now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openclaw_common::time::millis;
use openclaw_runtime::clock::Clock;

/// Lets one event through per span of time, and counts those held back.
#[derive(Debug)]
pub(super) struct Seldom {
    clock: Clock,
    every_ms: u64,
    /// Earliest next time, in milliseconds of the clock.
    next: AtomicU64,
    held: AtomicU64,
}

impl Seldom {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            clock: Clock::new(),
            every_ms: millis(every),
            next: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }

    /// Whether this event is one to log: then the number of those held back since the last.
    pub(super) fn pass(&self) -> Option<u64> {
        self.pass_at(self.clock.mono().0)
    }

    fn pass_at(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let later = now.saturating_add(self.every_ms);
        let swap = |next| {
            self.next
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
        };
        if now >= next && swap(next).is_ok() {
            return Some(self.held.swap(0, Ordering::Relaxed));
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_passes_per_span_and_the_others_are_counted() {
        let seldom = Seldom::new(Duration::from_secs(10));
        assert_eq!(seldom.pass_at(5), Some(0));
        assert_eq!((seldom.pass_at(6), seldom.pass_at(10_004)), (None, None));
        assert_eq!(seldom.pass_at(10_005), Some(2));
    }
}
