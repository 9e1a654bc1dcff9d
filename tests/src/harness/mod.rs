//! Real programs in folders of their own, on ports of their own, for tests and benchmarks.
//!
//! Owns: starting, watching, killing and cleaning up after coordinators, workers and the command line; clients for
//! them. Never: a cluster inside the test's own process, nor a fixed wait where a condition can be watched. What goes
//! wrong here fails the test that uses it: a harness panics, and says with which logs.

#![expect(clippy::panic, reason = "a harness fails the test it serves")]

mod binaries;
mod checkout;
mod cli;
mod client;
mod cluster;
mod http;
mod leftovers;
mod ports;
mod process;
mod program;
mod runs;
mod sandbox;
mod settings;
mod skills;
mod skip;
mod wait;

pub use binaries::{binaries_dir, project_dir};
pub use checkout::checkout;
pub use cli::{Answer, Cli};
pub use client::{Client, parameters, spec};
pub use cluster::{Cluster, ClusterBuilder};
pub use http::Http;
pub use leftovers::leftovers;
pub use ports::free_port;
pub use process::{Process, Signal};
pub use program::{Coordinator, Worker};
pub use runs::Runs;
pub use sandbox::Sandbox;
pub use settings::Settings;
pub use skills::install;
pub use skip::skip;
pub use wait::{pass, until, until_within};
