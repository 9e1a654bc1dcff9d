//! How often each address has failed to authenticate: a bucket per address, in a table that cannot grow.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use openclaw_common::time::Mono;

/// Failures that an address may make at once.
const BURST_MILLI: u64 = 10_000;
/// One more is allowed every 6 seconds: thousandths of a failure that come back per millisecond, times 6.
const REFILL_DIVISOR: u64 = 6;
/// Addresses remembered.
const MAX_ADDRESSES: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left_milli: u64,
    at: Mono,
}

/// The table. Time is an argument.
#[derive(Debug, Default)]
pub(super) struct Failures {
    buckets: BTreeMap<IpAddr, Bucket>,
}

impl Failures {
    /// Whether this address has used up its failures.
    pub(super) fn is_blocked(&self, address: IpAddr, now: Mono) -> bool {
        let bucket = self.buckets.get(&key_of(address));
        bucket.is_some_and(|bucket| bucket.refilled(now) < 1_000)
    }

    /// One more failure of this address.
    pub(super) fn record(&mut self, address: IpAddr, now: Mono) {
        let key = key_of(address);
        if !self.buckets.contains_key(&key) && self.buckets.len() >= MAX_ADDRESSES {
            self.make_room(now);
        }
        let full = Bucket {
            left_milli: BURST_MILLI,
            at: now,
        };
        let bucket = self.buckets.entry(key).or_insert(full);
        *bucket = Bucket {
            left_milli: bucket.refilled(now).saturating_sub(1_000),
            at: now,
        };
    }

    /// Forgets whoever has been quiet long enough, or else the one that has been quiet longest.
    fn make_room(&mut self, now: Mono) {
        self.buckets
            .retain(|_, bucket| bucket.refilled(now) < BURST_MILLI);
        if self.buckets.len() < MAX_ADDRESSES {
            return;
        }
        let quietest = self
            .buckets
            .iter()
            .min_by_key(|(_, bucket)| bucket.at)
            .map(|(key, _)| *key);
        if let Some(key) = quietest {
            self.buckets.remove(&key);
        }
    }
}

impl Bucket {
    fn refilled(&self, now: Mono) -> u64 {
        let gained = now.since(self.at) / REFILL_DIVISOR;
        self.left_milli.saturating_add(gained).min(BURST_MILLI)
    }
}

/// One machine can have a whole /64 of IPv6 addresses: they count as one.
fn key_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_failures_block_an_address_and_six_seconds_allow_one_more() {
        let mut failures = Failures::default();
        let bad = ip("100.64.0.9");
        for _ in 0..10 {
            assert!(!failures.is_blocked(bad, Mono(0)));
            failures.record(bad, Mono(0));
        }
        assert!(failures.is_blocked(bad, Mono(5_999)));
        assert!(!failures.is_blocked(bad, Mono(6_000)));
        assert!(!failures.is_blocked(ip("100.64.0.8"), Mono(0)));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let mut failures = Failures::default();
        for last in 0..10 {
            failures.record(ip(&format!("fd7a:115c:a1e0::{last}")), Mono(0));
        }
        assert!(failures.is_blocked(ip("fd7a:115c:a1e0::ffff"), Mono(0)));
        assert!(!failures.is_blocked(ip("fd7a:115c:a1e0:1::1"), Mono(0)));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_latest() {
        let mut failures = Failures::default();
        for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 50 {
            failures.record(
                IpAddr::V4((0x0a00_0000 + number).into()),
                Mono(u64::from(number)),
            );
        }
        assert_eq!(failures.buckets.len(), MAX_ADDRESSES);
        assert!(!failures.buckets.contains_key(&ip("10.0.0.0")));
    }
}
