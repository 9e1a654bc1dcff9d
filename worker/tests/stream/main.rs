//! The real program against a coordinator that does exactly what a test tells it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod coordinator;
mod program;

mod logs;
mod refusals;
mod results;
mod stops;
mod streams;
