//! A number beside the data: the last commit known to be durable.
//!
//! sled takes damage in the middle of its log for the end of the log and starts with what came before it. That is
//! right after a power loss and wrong for a bad disk; only a second witness tells the two apart. It is written after
//! the barrier and never waited for, so it may lag behind but never runs ahead.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// `commit (8) | crc32 (4)`, big-endian.
const BYTES: usize = 12;

/// The file and what it said when it was opened.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    /// `None`: new, or not readable, which says nothing.
    pub(super) known: Option<u64>,
}

impl Witness {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut bytes = Vec::new();
        (&mut file).take(64).read_to_end(&mut bytes)?;
        let known = parse(&bytes);
        if known.is_none() && !bytes.is_empty() {
            tracing::warn!(path = %path.display(), "the note of the last commit is not readable; going on without it");
        }
        Ok(Self { file, known })
    }

    /// Remembers a commit.
    pub(super) fn write(&mut self, commit: u64) -> io::Result<()> {
        let number = commit.to_be_bytes();
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&number);
        bytes[8..].copy_from_slice(&crc32fast::hash(&number).to_be_bytes());
        self.file.rewind()?;
        self.file.write_all(&bytes)
    }
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let (number, sum) = bytes.split_first_chunk::<8>()?;
    (sum == crc32fast::hash(number).to_be_bytes()).then(|| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::Witness;

    #[test]
    fn the_last_number_is_remembered_and_nonsense_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("committed");
        let mut witness = Witness::open(&path).unwrap();
        assert_eq!(witness.known, None);
        for commit in [1, 700, 701] {
            witness.write(commit).unwrap();
        }
        assert_eq!(Witness::open(&path).unwrap().known, Some(701));
        std::fs::write(&path, b"nonsense more").unwrap();
        assert_eq!(Witness::open(&path).unwrap().known, None);
    }
}
