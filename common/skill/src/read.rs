//! Reading small text files that somebody else wrote.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest manifest, in bytes.
pub(crate) const MAX_BYTES: u64 = 256_000;

/// Why a file is not text that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// There is none.
    #[error("no such file")]
    Missing,
    /// A folder, pipe or device of that name.
    #[error("not a regular file")]
    NotAFile,
    /// Over the limit.
    #[error("{bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// How large it is, at least.
        bytes: u64,
        /// How large it may be.
        limit: u64,
    },
    /// Bytes that are no UTF-8.
    #[error("line {0} is not UTF-8 text: save the file as UTF-8")]
    NotUtf8(u64),
    /// The disk or its permissions.
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

/// The text of a regular file of at most [`MAX_BYTES`]. Never waits on a pipe.
pub(crate) fn text(path: &Path) -> Result<String, ReadError> {
    text_up_to(path, MAX_BYTES)
}

/// The text of a regular file of at most `limit` bytes. Never waits on a pipe.
pub(crate) fn text_up_to(path: &Path, limit: u64) -> Result<String, ReadError> {
    let about = std::fs::metadata(path).map_err(from_io)?;
    if !about.is_file() {
        return Err(ReadError::NotAFile);
    }
    if about.len() > limit {
        return Err(ReadError::TooLarge {
            bytes: about.len(),
            limit,
        });
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(from_io)?;
    let length = bytes.len() as u64;
    if length > limit {
        return Err(ReadError::TooLarge {
            bytes: length,
            limit,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotUtf8(1 + good.split(|byte| *byte == b'\n').skip(1).count() as u64)
    })
}

fn from_io(error: io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound {
        ReadError::Missing
    } else {
        ReadError::Io(error)
    }
}
