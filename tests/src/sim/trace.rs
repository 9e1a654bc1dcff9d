//! What happened, as lines for people and as one number that tells two runs apart.

use std::fmt::{self, Write as _};

/// Lines kept of a run that is being watched.
const KEPT: usize = 200_000;

/// The log of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Fnv,
    keep: bool,
    lines: Vec<String>,
}

/// FNV-1a: every byte of every line counts.
#[derive(Debug)]
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Ok(())
    }
}

impl Trace {
    pub(crate) fn new(keep: bool) -> Self {
        Self {
            hash: Fnv(0xCBF2_9CE4_8422_2325),
            keep,
            lines: Vec::new(),
        }
    }

    /// One thing that happened, `at` milliseconds after the start.
    pub(crate) fn line(&mut self, at: u64, what: fmt::Arguments<'_>) {
        // Neither of the two can fail.
        let _ = writeln!(self.hash, "{at} {what}");
        if self.keep && self.lines.len() < KEPT {
            self.lines
                .push(format!("{:>6}.{:03} {what}", at / 1_000, at % 1_000));
        }
    }

    /// Two runs with the same number did the same.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.0
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
