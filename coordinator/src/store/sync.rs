//! Making what sled has written survive a power loss.

use std::io;
use std::path::Path;

/// Waits for the disk itself. sled's own flush does so everywhere but on Linux, where it hands the bytes to the disk
/// without emptying the disk's cache; there a second descriptor of the same file does the rest.
#[derive(Debug)]
pub(super) struct Barrier {
    #[cfg(target_os = "linux")]
    file: std::fs::File,
}

impl Barrier {
    /// For the data file at `path`, which exists.
    #[cfg(target_os = "linux")]
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let file = std::fs::File::options().write(true).open(path)?;
        Ok(Self { file })
    }

    /// Nothing is needed here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "the same face as on Linux")]
    pub(super) fn new(_path: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Everything written to the file so far is on the disk when this returns. A file that has lost its name would keep
    /// taking bytes that nobody ever finds again: that is an error.
    #[cfg(target_os = "linux")]
    pub(super) fn wait(&self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        self.file.sync_data()?;
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its data file was deleted while it was in use",
            ));
        }
        Ok(())
    }

    /// Nothing is needed here.
    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the same face as on Linux"
    )]
    pub(super) fn wait(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::Barrier;

    #[test]
    fn a_data_file_that_was_deleted_takes_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"rows").unwrap();
        let barrier = Barrier::new(&path).unwrap();
        barrier.wait().unwrap();
        std::fs::remove_file(&path).unwrap();
        let words = barrier.wait().unwrap_err().to_string();
        assert!(words.contains("deleted"), "{words}");
    }
}
