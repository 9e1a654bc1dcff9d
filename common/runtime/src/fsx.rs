//! Small files written carefully: whole or not at all, and secret when they hold secrets.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::platform::files;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever the process's defaults let.
    Shared,
    /// Its owner alone (0600; Windows: the access list of the folder).
    Owner,
}

/// Tells temporary names of one process apart.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Replaces `path` by `bytes` so that a reader, a crash or a power loss sees the old content or the new, nothing
/// between: a temporary file beside it, fsync, rename, fsync of the folder. The folder must exist.
pub fn write_atomic(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    let written = write_new(&temporary, bytes, access).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one worth telling; a left-over temporary file harms nobody.
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    files::sync_dir(parent_of(path))
}

/// Creates `path`, which must not exist, with `bytes`, readable by its owner alone, and makes it last.
/// `AlreadyExists` when somebody was faster.
pub fn create_owner_only(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_new(path, bytes, Access::Owner)?;
    files::sync_dir(parent_of(path))
}

/// Makes `dir` and its missing parents; those made here are open to their owner alone (0700). A folder that exists
/// keeps its access: it may be somebody's home, and what is secret in it is guarded file by file.
pub fn create_owner_only_dir(dir: &Path) -> io::Result<()> {
    files::owner_only_dir(DirBuilder::new().recursive(true)).create(dir)
}

/// Reads a file of at most `limit` bytes; a larger one is an error instead of a surprise.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if access == Access::Owner {
        files::owner_only(&mut options);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        SERIAL.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(temporary))
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        write_atomic(&path, b"one", Access::Shared).unwrap();
        write_atomic(&path, b"two", Access::Shared).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_content_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("full")).unwrap();
        assert!(write_atomic(&path, b"one", Access::Shared).is_err());
        assert!(path.join("full").is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_first_creator_of_a_secret_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        create_owner_only(&path, b"first").unwrap();
        let second = create_owner_only(&path, b"second").unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_file_over_its_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert!(
            read_bounded(&path, 4)
                .unwrap_err()
                .to_string()
                .contains("larger than 4 bytes")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_exists_keeps_its_access() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        create_owner_only_dir(dir.path()).unwrap();
        let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().join("a/private");
        create_owner_only_dir(&private).unwrap();
        assert_eq!(
            (mode(&private), mode(&dir.path().join("a"))),
            (0o700, 0o700)
        );
        let token = private.join("token");
        create_owner_only(&token, b"secret").unwrap();
        write_atomic(&token, b"changed", Access::Owner).unwrap();
        assert_eq!(mode(&token), 0o600);
    }
}
