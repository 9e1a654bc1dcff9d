//! Files and folders that only their owner may read, and making a rename last.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes `options` create files that only their owner may read and write (mode 0600).
///
/// On Windows a file takes the access list of its folder; the folders of a user's profile are that user's alone.
pub fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes `builder` create folders that only their owner may enter (mode 0700; Windows: as the parent).
pub fn owner_only_dir(builder: &mut DirBuilder) -> &mut DirBuilder {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
    builder
}

/// Makes entries created or renamed in `dir` survive a power loss. Windows journals them itself and cannot open a
/// folder as a file.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}
