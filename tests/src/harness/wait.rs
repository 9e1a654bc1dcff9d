//! Waiting for conditions.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Until `look` gives something, or the test fails after 30 s, saying `what` was waited for.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(Duration::from_secs(30), what, look).await
}

/// Until `look` gives something, or the test fails after `limit`, saying `what` was waited for.
pub async fn until_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain for: {what}"
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Lets time pass where the passing of time is what is tested: a stopped process, a lease that runs out. Never a
/// stand-in for a condition.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
