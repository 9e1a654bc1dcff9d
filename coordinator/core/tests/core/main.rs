//! The core's rules, told as stories. Time is a number that the tests move.

mod cancelling;
mod endings;
mod explaining;
mod harness;
mod leases;
mod placing;
mod restarting;
mod sessions;
mod submitting;
