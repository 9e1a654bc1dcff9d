//! Time as a parameter: one monotonic and one wall reading, taken together by a shell.
//!
//! Both count milliseconds. Instants never travel between machines; durations do.

use std::time::Duration;

/// Milliseconds of a monotonic clock since the process, or the simulation, began.
///
/// On Linux and macOS it stands still while the machine sleeps; on Windows it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

/// Milliseconds of the wall clock since 1970-01-01 UTC. It may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

/// The two clocks, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For records and people.
    pub wall: Wall,
}

/// A span of milliseconds as a `u64`, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

macro_rules! clock_arithmetic {
    ($name:ident) => {
        impl $name {
            /// This moment and a span of milliseconds more, saturating.
            #[must_use]
            pub const fn plus(self, span_ms: u64) -> Self {
                Self(self.0.saturating_add(span_ms))
            }

            /// Milliseconds from `earlier` to this moment; 0 when `earlier` is later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }
    };
}

clock_arithmetic!(Mono);
clock_arithmetic!(Wall);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Mono, Wall, millis};

    #[test]
    fn spans_saturate_at_both_ends() {
        assert_eq!(Mono(5).since(Mono(9)), 0);
        assert_eq!(Wall(u64::MAX).plus(1), Wall(u64::MAX));
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
