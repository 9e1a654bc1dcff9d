//! The vocabulary that every crate shares: ids, time, states, codes, backoff.
//!
//! Owns: names and the rules that are true without context. Never: input or output, a clock, a runtime.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod code;
pub mod id;
pub mod status;
pub mod time;
