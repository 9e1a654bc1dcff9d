//! The directory of an attempt: `in/`, `out/`, the parameters, the result and the progress file.
//!
//! Open to its owner alone. A directory that an attempt left as it found it serves the next one: making and removing
//! directories would cost a short task more than its process does. Everything here blocks on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use openclaw_runtime::platform::files;

use crate::model::InputFile;

const PARAMS: &str = "params.json";
const RESULT: &str = "result.json";
const PROGRESS: &str = "progress.jsonl";
const INPUT: &str = "in";
const OUTPUT: &str = "out";

/// Most clean directories that are kept for later.
const KEPT: usize = 64;

/// All attempt directories of a worker.
#[derive(Debug)]
pub(super) struct WorkDirs {
    root: PathBuf,
    next: AtomicU64,
    clean: Mutex<Vec<PathBuf>>,
}

/// The directory of one attempt.
#[derive(Debug)]
pub(super) struct WorkDir {
    path: PathBuf,
}

impl WorkDirs {
    /// Directories below `root`, which exists.
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            next: AtomicU64::new(1),
            clean: Mutex::new(Vec::new()),
        }
    }

    /// An empty directory with its input files and parameters.
    pub(super) fn take(&self, parameters: &str, inputs: &[InputFile]) -> Result<WorkDir, DirError> {
        let dir = match self.clean().pop() {
            Some(path) => WorkDir { path },
            None => self.make()?,
        };
        match dir.fill(parameters, inputs) {
            Ok(()) => Ok(dir),
            Err(error) => {
                self.give_back(&dir);
                Err(error)
            }
        }
    }

    /// Takes a directory back that was seen [untouched](WorkDir::is_untouched).
    pub(super) fn keep(&self, dir: WorkDir) {
        let mut clean = self.clean();
        if clean.len() < KEPT {
            clean.push(dir.path);
        } else {
            drop(clean);
            self.remove(&dir);
        }
    }

    /// Takes a directory back: kept when the attempt left it as it found it, removed otherwise.
    pub(super) fn give_back(&self, dir: &WorkDir) {
        if !self.keep_if_clean(dir) {
            self.remove(dir);
        }
    }

    /// Takes a directory back if the attempt left it as it found it. `false`: it is to be removed.
    pub(super) fn keep_if_clean(&self, dir: &WorkDir) -> bool {
        let mut clean = dir.is_clean().then(|| self.clean());
        match &mut clean {
            Some(clean) if clean.len() < KEPT => {
                clean.push(dir.path.clone());
                true
            }
            _ => false,
        }
    }

    /// Removes a directory. Failing that costs disk space until the next start of the worker, and is said in the log.
    #[expect(clippy::unused_self, reason = "a directory belongs to its set")]
    pub(super) fn remove(&self, dir: &WorkDir) {
        if let Err(error) = fs::remove_dir_all(&dir.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %dir.path.display(), %error, "cannot remove the directory of an ended attempt");
        }
    }

    fn make(&self) -> Result<WorkDir, DirError> {
        let mut builder = DirBuilder::new();
        files::owner_only_dir(&mut builder);
        let dir = self.make_top(&builder)?;
        for path in [dir.input_dir(), dir.output_dir()] {
            builder
                .create(&path)
                .map_err(|source| DirError::Io { path, source })?;
        }
        Ok(dir)
    }

    /// Makes the directory itself, under the next number that is free: one whose files could not be removed is left over
    /// from a former worker.
    fn make_top(&self, builder: &DirBuilder) -> Result<WorkDir, DirError> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.root.join(number.to_string());
            match builder.create(&path) {
                Ok(()) => return Ok(WorkDir { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(DirError::Io { path, source }),
            }
        }
    }

    fn clean(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        // A push or a pop does not panic half way.
        self.clean.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkDir {
    /// The working directory of the process.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The parameters, as JSON.
    pub(super) fn params(&self) -> PathBuf {
        self.path.join(PARAMS)
    }

    /// The parameters, open for reading: what the process gets as its standard input.
    pub(super) fn open_params(&self) -> Result<File, DirError> {
        let path = self.params();
        File::open(&path).map_err(|source| DirError::Io { path, source })
    }

    /// Where the process may leave its result.
    pub(super) fn result(&self) -> PathBuf {
        self.path.join(RESULT)
    }

    /// Where the process may tell its progress.
    pub(super) fn progress(&self) -> PathBuf {
        self.path.join(PROGRESS)
    }

    /// The input files.
    pub(super) fn input_dir(&self) -> PathBuf {
        self.path.join(INPUT)
    }

    /// The output files.
    pub(super) fn output_dir(&self) -> PathBuf {
        self.path.join(OUTPUT)
    }

    fn fill(&self, parameters: &str, inputs: &[InputFile]) -> Result<(), DirError> {
        write(&self.params(), parameters.as_bytes())?;
        for input in inputs {
            let path = self.input_dir().join(checked_name(&input.name)?);
            write(&path, &input.content)?;
        }
        Ok(())
    }

    /// Whether nothing is left but what every attempt begins with. Removes what is ours to remove.
    fn is_clean(&self) -> bool {
        for ours in [self.result(), self.progress()] {
            drop(fs::remove_file(ours));
        }
        self.is_untouched()
    }

    /// Whether the attempt left it as it found it: no result, no outputs, nothing else.
    pub(super) fn is_untouched(&self) -> bool {
        let params = fs::symlink_metadata(self.params());
        params.is_ok_and(|params| params.is_file() && files_are_ours(&params))
            && [self.path.clone(), self.input_dir(), self.output_dir()]
                .iter()
                .all(|dir| dir_is_ours(dir))
            && entries(&self.path) == Some(3)
            && entries(&self.input_dir()) == Some(0)
            && entries(&self.output_dir()) == Some(0)
    }
}

/// What went wrong with an attempt's directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirError {
    /// The operating system refused.
    #[error("cannot prepare {}: {source}{}", path.display(), next_step(source))]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name of an input file is not a plain name.
    #[error("input file name `{0}`: use a plain file name without directories")]
    Name(String),
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DirError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    files::owner_only(&mut options);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        // Emptied first, a file would go to the disk when it is closed: ext4 takes it for a replacement to be kept.
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if file.metadata()?.len() > length {
            file.set_len(length)
        } else {
            Ok(())
        }
    });
    written.map_err(|source| DirError::Io {
        path: path.to_owned(),
        source,
    })
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space on that disk",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; the worker's data directory must be writable for the user it runs as"
        }
        io::ErrorKind::NotFound => "; the worker's data directory was removed: restart the worker",
        _ => "",
    }
}

/// A name that stays below the input directory on every platform.
fn checked_name(name: &str) -> Result<&str, DirError> {
    let plain = !name.is_empty() && name.len() <= 255 && name != "." && name != "..";
    let has_path = name
        .chars()
        .any(|character| matches!(character, '/' | '\\' | ':') || character.is_control());
    if plain && !has_path {
        Ok(name)
    } else {
        Err(DirError::Name(name.chars().take(80).collect()))
    }
}

fn entries(dir: &Path) -> Option<usize> {
    fs::read_dir(dir)
        .ok()
        .map(|entries| entries.take(4).count())
}

#[cfg(unix)]
fn files_are_ours(params: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // A second link would let somebody read the next task's parameters.
    params.nlink() == 1 && params.mode() & 0o777 == 0o600
}

#[cfg(unix)]
fn dir_is_ours(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o7777 == 0o700)
}

#[cfg(not(unix))]
fn files_are_ours(_params: &fs::Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn dir_is_ours(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn dirs() -> (tempfile::TempDir, WorkDirs) {
        let root = tempfile::tempdir().unwrap();
        let dirs = WorkDirs::new(root.path().to_owned());
        (root, dirs)
    }

    #[test]
    fn a_directory_left_clean_serves_the_next_attempt_and_another_does_not() {
        let (_root, dirs) = dirs();
        let first = dirs.take("{\"secret\":1}", &[]).unwrap();
        fs::write(first.result(), "1").unwrap();
        fs::write(first.progress(), "{}").unwrap();
        dirs.give_back(&first);
        let second = dirs.take("{}", &[]).unwrap();
        assert_eq!(second.path(), first.path());
        assert_eq!(fs::read(second.params()).unwrap(), b"{}");
        assert!(!second.result().exists());
        fs::write(second.output_dir().join("left"), "x").unwrap();
        dirs.give_back(&second);
        assert!(!second.path().exists());
    }

    #[test]
    fn a_directory_that_could_not_be_removed_is_passed_over() {
        let (root, dirs) = dirs();
        fs::create_dir(root.path().join("1")).unwrap();
        fs::write(root.path().join("1/left"), "x").unwrap();
        let dir = dirs.take("{}", &[]).unwrap();
        assert_eq!(dir.path(), root.path().join("2"));
        assert!(root.path().join("1/left").exists());
    }

    #[test]
    fn input_files_are_written_and_do_not_survive_their_attempt() {
        let (_root, dirs) = dirs();
        let input = InputFile {
            name: "a b.txt".into(),
            content: Bytes::from_static(b"hello"),
        };
        let dir = dirs.take("{}", &[input]).unwrap();
        assert_eq!(fs::read(dir.input_dir().join("a b.txt")).unwrap(), b"hello");
        dirs.give_back(&dir);
        assert!(!dir.path().exists());
    }

    #[test]
    fn input_names_that_leave_the_directory_are_refused() {
        let (_root, dirs) = dirs();
        for name in ["", ".", "..", "a/b", "..\\b", "c:d", "x\0"] {
            let input = InputFile {
                name: name.into(),
                content: Bytes::new(),
            };
            assert!(
                matches!(dirs.take("{}", &[input]), Err(DirError::Name(_))),
                "{name}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_whose_mode_was_changed_or_that_became_a_link_is_not_used_again() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (_root, dirs) = dirs();
        let dir = dirs.take("{}", &[]).unwrap();
        fs::set_permissions(dir.output_dir(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!dir.is_clean());
        let dir = dirs.take("{}", &[]).unwrap();
        fs::remove_dir(dir.output_dir()).unwrap();
        symlink("/tmp", dir.output_dir()).unwrap();
        assert!(!dir.is_clean());
        let dir = dirs.take("{}", &[]).unwrap();
        fs::hard_link(dir.params(), dir.path().with_extension("copy")).unwrap();
        assert!(!dir.is_clean());
    }

    #[test]
    fn a_data_directory_that_is_gone_is_named_with_the_next_step() {
        let (root, dirs) = dirs();
        drop(root);
        let text = dirs.take("{}", &[]).unwrap_err().to_string();
        assert!(
            text.contains("cannot prepare") && text.contains("restart the worker"),
            "{text}"
        );
    }
}
