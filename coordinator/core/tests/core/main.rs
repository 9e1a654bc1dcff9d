//! The core's rules, told as stories. Time is a number that the tests move.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's harness says by panicking what went wrong"
)]

mod cancelling;
mod endings;
mod explaining;
mod harness;
mod leases;
mod placing;
mod restarting;
mod sessions;
mod submitting;
