//! What tests and benchmarks share: a harness that starts the real programs.

#![forbid(unsafe_code)]

#[cfg(unix)]
pub mod harness;
pub mod sim;
