//! Chance, all of it from one seed.

use openclaw_common::backoff::{scale, splitmix};

/// A seeded generator.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Begins at a seed; seeds that follow each other give unrelated streams.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed ^ 0xA076_1D64_78BD_642F;
        Self(splitmix(&mut state))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + scale(high.saturating_sub(low), self.bits())
    }

    /// Uniform in `0..bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let last = u64::try_from(bound.saturating_sub(1)).unwrap_or(0);
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// True this many times out of a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of these, all equally likely; the first when there is only one. The list is not empty.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
