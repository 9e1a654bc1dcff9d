//! Exponential backoff with full jitter.
//!
//! Full jitter as in Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): the delay is
//! uniform between 0 and the exponential bound. Randomness is an argument.

/// How delays grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backoff {
    /// Bound of the first delay in milliseconds.
    pub base_ms: u64,
    /// Highest bound in milliseconds.
    pub cap_ms: u64,
}

impl Backoff {
    /// The delay in milliseconds before try `n` (0 is the first), for 64 uniform random bits.
    pub const fn delay_ms(self, n: u32, random: u64) -> u64 {
        let factor = if n >= 63 { u64::MAX } else { 1 << n };
        let grown = self.base_ms.saturating_mul(factor);
        let bound = if grown < self.cap_ms {
            grown
        } else {
            self.cap_ms
        };
        scale(bound, random)
    }
}

/// Maps 64 uniform random bits onto 0 … `bound` inclusive.
pub const fn scale(bound: u64, random: u64) -> u64 {
    ((random as u128 * (bound as u128 + 1)) >> 64) as u64
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014): a small generator for seeds that enter from outside.
pub const fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Backoff, scale, splitmix};

    #[test]
    fn delays_double_up_to_the_cap() {
        let backoff = Backoff {
            base_ms: 1_000,
            cap_ms: 60_000,
        };
        let longest: Vec<u64> = (0..8).map(|n| backoff.delay_ms(n, u64::MAX)).collect();
        assert_eq!(
            longest,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(backoff.delay_ms(200, u64::MAX), 60_000);
        assert_eq!(backoff.delay_ms(3, 0), 0);
    }

    #[test]
    fn scaling_covers_the_whole_range() {
        assert_eq!(scale(9, 0), 0);
        assert_eq!(scale(9, u64::MAX), 9);
    }

    #[test]
    fn the_generator_repeats_for_a_seed() {
        let (mut a, mut b) = (7, 7);
        assert_eq!(splitmix(&mut a), splitmix(&mut b));
        assert_ne!(splitmix(&mut a), a);
    }
}
