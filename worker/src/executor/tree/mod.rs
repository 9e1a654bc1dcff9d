//! A process and everything it starts, as one thing that can be watched, ended and verified gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use tokio::process::{ChildStderr, ChildStdout};

#[cfg(unix)]
mod leader;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
pub(super) mod processes;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "other_unix.rs"]
pub(super) mod processes;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::Tree;
#[cfg(windows)]
pub(super) use windows::Tree;

/// A process to start.
#[derive(Debug)]
pub(super) struct Launch {
    /// Absolute path.
    pub(super) program: PathBuf,
    /// What follows it.
    pub(super) args: Vec<OsString>,
    /// All of its environment.
    pub(super) env: BTreeMap<OsString, OsString>,
    /// Its working directory.
    pub(super) dir: PathBuf,
    /// Its standard input: a file, so that nobody has to feed it and nobody waits for it to read.
    pub(super) stdin: File,
    /// The value of the mark in its environment.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "a job finds its processes itself")
    )]
    pub(super) mark: String,
    /// Whether it runs below normal priority.
    pub(super) low_priority: bool,
}

/// What a process prints to.
#[derive(Debug)]
pub(super) struct Pipes {
    /// Standard output.
    pub(super) stdout: Option<ChildStdout>,
    /// Standard error.
    pub(super) stderr: Option<ChildStderr>,
}
