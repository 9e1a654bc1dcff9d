//! End-to-end tests: real programs, real processes, real sockets. `scripts/test.sh` builds the programs first.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli;
mod config;
mod dev;
mod documents;
mod errors;
mod grpcurl;
mod http;
mod join;
mod kill9;
mod misbehave;
mod mixed;
mod quick_start;
mod stop;
mod tidy;
