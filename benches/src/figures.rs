//! A series of times, and what is said of it.

use std::time::Duration;

use serde_json::{Value, json};

/// Times, to be summed up.
#[derive(Debug, Default)]
pub struct Series {
    times: Vec<Duration>,
}

impl Series {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// The time that `share` (0 to 1) of the series does not exceed; zero for an empty series.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a series of thousands"
        )]
        let place = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted
            .get(place.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The figures in milliseconds, by name.
    pub fn summary(&self) -> Vec<(&'static str, f64)> {
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];
        let millis = |share| self.quantile(share).as_secs_f64() * 1000.0;
        shares.map(|(name, share)| (name, millis(share))).to_vec()
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let mut value = json!({"count": self.times.len()});
        for (name, millis) in self.summary() {
            value[format!("{name}_ms")] = json!((millis * 1000.0).round() / 1000.0);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(millis: impl IntoIterator<Item = u64>) -> Series {
        let mut series = Series::default();
        millis
            .into_iter()
            .for_each(|time| series.add(Duration::from_millis(time)));
        series
    }

    #[test]
    fn quantiles_are_times_that_occurred() {
        let series = series((1..=100).rev());
        assert_eq!(series.quantile(0.5), Duration::from_millis(50));
        assert_eq!(series.quantile(0.99), Duration::from_millis(99));
        assert_eq!(series.quantile(1.0), Duration::from_millis(100));
        assert_eq!(series.quantile(0.0), Duration::from_millis(1));
    }

    #[test]
    fn an_empty_series_is_zero_not_a_panic() {
        assert_eq!(Series::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn the_summary_is_in_milliseconds() {
        let json = series([2, 4]).json();
        assert_eq!(
            json,
            json!({"count": 2, "p50_ms": 2.0, "p90_ms": 4.0, "p99_ms": 4.0, "max_ms": 4.0})
        );
    }
}
