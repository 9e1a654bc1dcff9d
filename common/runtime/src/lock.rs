//! One process per data directory, and the name of the one that was first.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::fsx;

/// How long a lock is waited for: a former process may still be giving its store back.
pub const PATIENCE: Duration = Duration::from_secs(10);

const RETRY_EVERY: Duration = Duration::from_millis(50);
const LOCK_FILE: &str = "lock";
const HOLDER_FILE: &str = "lock.holder";
const HOLDER_LIMIT: u64 = 16 * 1024;

/// Who holds a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Name of the program.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// The machine it runs on.
    pub host: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
}

/// Why a data directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "data directory {} is in use{}; stop that process, or give this one another data directory",
        dir.display(),
        holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
    )]
    Held {
        /// The directory.
        dir: PathBuf,
        /// Who has it, when that could be read.
        holder: Option<Holder>,
    },
    /// The directory or the lock file could not be made or opened.
    #[error("cannot lock data directory {}: {source}; it must exist or be creatable, and be writable", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The right to use a data directory, given back when dropped or when the process ends in whatever way.
#[derive(Debug)]
pub struct DataLock {
    dir: PathBuf,
    // Held for its lock, which ends when the file is closed.
    _file: File,
}

impl DataLock {
    /// Takes `dir` (made when missing, for its owner alone), waiting up to [`PATIENCE`] for a former holder. Blocks
    /// the thread: call it before the runtime starts or on a blocking thread.
    pub fn acquire(dir: &Path, program: &str) -> Result<Self, LockError> {
        Self::acquire_within(dir, program, PATIENCE)
    }

    /// [`DataLock::acquire`] with another patience.
    pub fn acquire_within(
        dir: &Path,
        program: &str,
        patience: Duration,
    ) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            dir: dir.to_owned(),
            source,
        };
        fsx::create_owner_only_dir(dir).map_err(failed)?;
        let path = dir.join(LOCK_FILE);
        let mut options = File::options();
        let file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let started = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if started.elapsed() >= patience => {
                    return Err(LockError::Held {
                        dir: dir.to_owned(),
                        holder: Holder::read(dir),
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut told, true) {
                        let holder = Holder::read(dir).map(|holder| holder.to_string());
                        tracing::warn!(
                            dir = %dir.display(),
                            holder,
                            wait_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
                            "another process uses this data directory; waiting for it to end"
                        );
                    }
                    std::thread::sleep(RETRY_EVERY);
                }
            }
        }
        note_holder(dir, program);
        Ok(Self {
            dir: dir.to_owned(),
            _file: file,
        })
    }

    /// The directory it stands for.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // Before the lock goes, so that it never takes a successor's name away.
        drop(fs::remove_file(self.dir.join(HOLDER_FILE)));
    }
}

/// Says who holds `dir`. The lock holds without it: a disk that is full must not keep a program from starting.
fn note_holder(dir: &Path, program: &str) {
    if let Err(error) = Holder::this_process(program).write(dir) {
        // Better no name than that of the one before.
        drop(fs::remove_file(dir.join(HOLDER_FILE)));
        tracing::warn!(dir = %dir.display(), %error, "cannot note who uses the data directory");
    }
}

impl Holder {
    fn this_process(program: &str) -> Self {
        let now = time::OffsetDateTime::now_utc();
        Self {
            program: program.to_owned(),
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: now
                .format(&time::format_description::well_known::Rfc3339)
                .unwrap_or_default(),
        }
    }

    /// Who holds `dir`, as far as its file tells.
    pub fn read(dir: &Path) -> Option<Self> {
        let bytes = fsx::read_bounded(&dir.join(HOLDER_FILE), HOLDER_LIMIT).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        fsx::write_atomic(&dir.join(HOLDER_FILE), &bytes, fsx::Access::Shared)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} (pid {} on {}, since {})",
            self.program, self.pid, self.host, self.since
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_opened_twice_is_refused_with_the_holder_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data/coordinator");
        let _first = DataLock::acquire(&data, "openclaw-coordinator").unwrap();
        let refused =
            DataLock::acquire_within(&data, "openclaw-coordinator", Duration::ZERO).unwrap_err();
        let text = refused.to_string();
        let pid = format!("openclaw-coordinator (pid {} on ", std::process::id());
        assert!(
            text.contains(&pid) && text.contains("coordinator is in use by"),
            "{text}"
        );
    }

    #[test]
    fn a_lock_given_back_can_be_taken_while_somebody_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataLock::acquire(dir.path(), "first").unwrap();
        let path = dir.path().to_owned();
        let waiting = std::thread::spawn(move || {
            DataLock::acquire(&path, "second").map(|lock| lock.dir().to_owned())
        });
        drop(first);
        assert_eq!(waiting.join().unwrap().unwrap(), dir.path());
    }

    #[test]
    fn what_a_dead_process_left_behind_does_not_hold_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(LOCK_FILE), b"").unwrap();
        fs::write(dir.path().join(HOLDER_FILE), b"half a rec").unwrap();
        let lock = DataLock::acquire_within(dir.path(), "heir", Duration::ZERO).unwrap();
        assert_eq!(Holder::read(dir.path()).unwrap().program, "heir");
        drop(lock);
        assert_eq!(Holder::read(dir.path()), None);
    }

    #[test]
    fn a_lock_holds_although_the_name_of_its_holder_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(HOLDER_FILE)).unwrap();
        let lock = DataLock::acquire_within(dir.path(), "nameless", Duration::ZERO).unwrap();
        let refused = DataLock::acquire_within(dir.path(), "second", Duration::ZERO).unwrap_err();
        assert!(
            matches!(refused, LockError::Held { holder: None, .. }),
            "{refused}"
        );
        drop(lock);
    }

    #[test]
    fn a_file_where_the_directory_should_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(&path, b"").unwrap();
        let error = DataLock::acquire(&path, "program").unwrap_err();
        assert!(
            error.to_string().contains("cannot lock data directory"),
            "{error}"
        );
    }
}
