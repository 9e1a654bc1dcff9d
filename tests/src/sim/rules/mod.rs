//! The rules, checked against what really happened, at every decision, commit, start and answer.

mod decided;
mod durable;
mod heard;
mod shown;
mod started;
