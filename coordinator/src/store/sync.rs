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

    /// Everything written to the file so far is on the disk when this returns.
    #[cfg(target_os = "linux")]
    pub(super) fn wait(&self) -> io::Result<()> {
        self.file.sync_data()
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
