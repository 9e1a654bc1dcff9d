//! What lies at the path of a store, so that an engine refuses what is not its own by name and leaves it alone; and the
//! files beside it.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use openclaw_runtime::platform::files;

use super::error::StoreError;

const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// What sled makes in its directory.
const OF_SLED: [&str; 3] = ["conf", "db", "blobs"];

/// A file whose name is longer by `suffix`.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

/// The folder, unless it is the current one.
pub(super) fn parent(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// Opens a file for reading and writing, made when missing, for its owner alone.
pub(super) fn owner_only(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    files::owner_only(&mut options).open(path)
}

/// Takes the lock file of the store at `path`, given back when the file is closed. `Locked` when somebody has it.
pub(super) fn hold(path: &Path, lock: &Path) -> Result<File, StoreError> {
    let opening = |source| StoreError::io(path, "open", source);
    let file = owner_only(lock).map_err(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(opening(error)),
    }
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    EmptyDirectory,
    Sled,
    OtherDirectory,
    EmptyFile,
    Sqlite,
    OtherFile,
}

impl Found {
    /// Looks.
    pub(super) fn at(path: &Path) -> Result<Self, StoreError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Ok(facts) if facts.is_dir() => directory(path),
            Ok(_) => file(path),
            Err(error) => Err(error),
        }
        .map_err(|source| StoreError::io(path, "open", source))
    }

    /// The refusal by an engine that is called `wanted`.
    pub(super) fn refused(self, path: &Path, wanted: &'static str) -> StoreError {
        let found = match self {
            Self::Nothing => "nothing",
            Self::EmptyDirectory => "an empty directory",
            Self::Sled => "a sled store",
            Self::OtherDirectory => "a directory of something else",
            Self::EmptyFile => "an empty file",
            Self::Sqlite => "a SQLite database",
            Self::OtherFile => "a file of something else",
        };
        StoreError::OtherEngine {
            path: path.to_owned(),
            found,
            wanted,
        }
    }
}

fn directory(path: &Path) -> io::Result<Found> {
    let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let own = |name: &std::ffi::OsStr| OF_SLED.iter().any(|own| name == *own);
    Ok(if entries.is_empty() {
        Found::EmptyDirectory
    } else if entries.iter().any(|entry| own(&entry.file_name())) {
        Found::Sled
    } else {
        Found::OtherDirectory
    })
}

fn file(path: &Path) -> io::Result<Found> {
    let mut head = Vec::new();
    let length = u64::try_from(SQLITE_MAGIC.len()).unwrap_or(u64::MAX);
    File::open(path)?.take(length).read_to_end(&mut head)?;
    Ok(match head.as_slice() {
        [] => Found::EmptyFile,
        SQLITE_MAGIC => Found::Sqlite,
        _ => Found::OtherFile,
    })
}
