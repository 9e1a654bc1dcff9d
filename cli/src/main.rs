//! The `openclaw-cluster` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    openclaw_cluster::run(std::env::args_os().collect()).into()
}
