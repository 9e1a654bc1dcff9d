//! Between the wire and the worker's own types.
//!
//! Owns: what a message must be like to be understood, and its limits. What comes in is checked by `TryFrom` and never
//! panics; what this build does not know is ignored. Never: a decision about an attempt.

mod incoming;
mod outgoing;
mod result;
mod skills;
mod spec;

#[cfg(test)]
mod tests;

pub use incoming::{Malformed, event, lease};
pub use outgoing::{About, hello, inventory, request};
pub(crate) use result::{wire_chunk, wire_lease};
pub use skills::skill;
pub use spec::{SpecError, job};
