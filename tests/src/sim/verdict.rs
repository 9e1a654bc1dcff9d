//! What a check says when something is wrong.

use std::fmt;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule, in a word.
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.seen)
    }
}

/// What a step of the simulation gives.
pub(crate) type Checked<T = ()> = Result<T, Violation>;

/// A violation of this rule.
pub(crate) fn broken<T>(rule: &'static str, seen: impl Into<String>) -> Checked<T> {
    Err(Violation {
        rule,
        seen: seen.into(),
    })
}
