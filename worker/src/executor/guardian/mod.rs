//! Nothing outlives the worker: a second process that waits for the worker's end and then kills what it left running,
//! and a look at what a former worker left, before this one starts anything.
//!
//! On Unix the groups of running attempts stand in a file, the ledger; the guardian holds a pipe whose other end only
//! the worker has, and reads the ledger when that closes. So a running attempt costs two small writes to a file, and
//! the guardian sleeps all its life. On Windows every attempt is in a job that dies with the worker, and there is no
//! guardian.

#[cfg(unix)]
mod ledger;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

#[cfg(unix)]
pub(super) use ledger::Slot;
#[cfg(unix)]
pub use unix::{Guardian, run_guardian};
#[cfg(windows)]
pub(super) use windows::Slot;
#[cfg(windows)]
pub use windows::{Guardian, run_guardian};

/// The hidden subcommand of the worker under which it becomes a guardian.
pub const SUBCOMMAND: &str = "guardian";

/// How to start a guardian.
#[derive(Debug, Clone)]
pub struct GuardianCommand {
    /// A program that calls [`run_guardian`] when it is started with these arguments.
    pub program: PathBuf,
    /// The arguments.
    pub args: Vec<OsString>,
    /// Variables beside those that the worker itself has.
    pub env: Vec<(OsString, OsString)>,
}

impl GuardianCommand {
    /// This very program under its hidden subcommand.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            args: vec![SUBCOMMAND.into()],
            env: Vec::new(),
        })
    }
}

/// Why attempts cannot be run safely here.
#[derive(Debug, thiserror::Error)]
pub enum GuardianError {
    /// The folder for attempts cannot be used.
    #[error("cannot prepare {}: {source}; the worker's data directory must be writable and its disk not full", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The guardian process cannot be started.
    #[error("cannot start the guardian process {}: {source}", program.display())]
    Start {
        /// Its program.
        program: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// What a former worker left running could not be killed.
    #[error(
        "{count} process groups that a former worker left running cannot be killed; end them, or restart the machine"
    )]
    Leftovers {
        /// How many.
        count: usize,
    },
    /// The machine gives no random numbers.
    #[error("the system's random number source failed: {0}")]
    Random(String),
}

/// 128 random bits as text: what tells this run of a worker from every other.
fn random_mark() -> Result<String, GuardianError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| GuardianError::Random(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Removes everything in the folder of attempts but `keep`.
fn empty_folder(folder: &std::path::Path, keep: &str) -> Result<(), GuardianError> {
    let failed = |source| GuardianError::Folder {
        path: folder.to_owned(),
        source,
    };
    openclaw_runtime::fsx::create_owner_only_dir(folder).map_err(failed)?;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.file_name().is_some_and(|name| name == keep) {
            continue;
        }
        let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        let removed = if is_dir {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "cannot remove what a former attempt left");
        }
    }
    Ok(())
}
