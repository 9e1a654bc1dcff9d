//! How fast workers are let in: five hundred that reconnect at once must not hold up the ones that work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Registrations a second, at least.
const LEAST_PER_SECOND: u64 = 50;

/// Gives each registration its moment.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    next: Mutex<Option<Instant>>,
}

impl Registrations {
    /// Waits for the next free moment. With many workers the rate rises so that all are in within a third of a lease.
    pub(super) async fn take_turn(&self, workers: usize, lease: Duration) {
        let at = self.book(Instant::now(), spacing(workers, lease));
        sleep_until(at).await;
    }

    fn book(&self, now: Instant, spacing: Duration) -> Instant {
        // Nothing between lock and unlock can panic; a poisoned moment is still a moment.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + spacing);
        at
    }
}

fn spacing(workers: usize, lease: Duration) -> Duration {
    let workers = u64::try_from(workers).unwrap_or(u64::MAX);
    let third = (lease.as_secs() / 3).max(1);
    let per_second = LEAST_PER_SECOND.max(workers.div_ceil(third));
    Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_a_second_or_all_within_a_third_of_a_lease() {
        let lease = Duration::from_secs(90);
        assert_eq!(spacing(3, lease), Duration::from_millis(20));
        assert_eq!(spacing(10_000, lease), Duration::from_secs(1) / 334);
    }

    #[test]
    fn a_lone_worker_does_not_wait() {
        let registrations = Registrations::default();
        let now = Instant::now();
        let step = Duration::from_millis(20);
        assert_eq!(registrations.book(now, step), now);
        assert_eq!(registrations.book(now, step), now + step);
        let later = now + Duration::from_secs(1);
        assert_eq!(registrations.book(later, step), later);
    }
}
