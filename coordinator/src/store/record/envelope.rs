//! What stands round every value: format, checksum over key and content, number of the commit that wrote it.
//!
//! `format (1) | crc32 (4) | commit (8) | content`, integers big-endian. The checksum covers the key, the format, the
//! commit and the content, so that a row found under another key is damage too.

use super::Invalid;

/// The content is the whole message.
const WHOLE: u8 = 1;
/// The content is a `wire::Parts`; the message lies in chunks.
const IN_PARTS: u8 = 0x81;
const HEAD: usize = 13;

/// A value taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// The commit that wrote it.
    pub(crate) commit: u64,
    /// The content names chunks that hold the message.
    pub(crate) in_parts: bool,
    /// The message, or the `wire::Parts`.
    pub(crate) content: &'a [u8],
}

/// The checksum of a row.
fn checksum(key: &[u8], format: u8, commit: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[format]);
    hasher.update(&commit.to_be_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// The value of a row. `fill` writes the content, about `size` bytes.
pub(crate) fn seal(
    key: &[u8],
    commit: u64,
    in_parts: bool,
    size: usize,
    fill: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let format = if in_parts { IN_PARTS } else { WHOLE };
    let mut value = Vec::with_capacity(HEAD + size);
    value.push(format);
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&commit.to_be_bytes());
    fill(&mut value);
    let crc = checksum(key, format, commit, &value[HEAD..]);
    value[1..5].copy_from_slice(&crc.to_be_bytes());
    value
}

/// Takes the value of a row apart and checks it.
pub(crate) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<Envelope<'a>, Invalid> {
    let (head, content) = value
        .split_first_chunk::<HEAD>()
        .ok_or(Invalid::new("the row is cut short"))?;
    let [format, c0, c1, c2, c3, n @ ..] = *head;
    if format != WHOLE && format != IN_PARTS {
        return Err(Invalid(format!("unknown row format {format}").into()));
    }
    let commit = u64::from_be_bytes(n);
    if checksum(key, format, commit, content) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err(Invalid::new("the checksum does not match"));
    }
    Ok(Envelope {
        commit,
        in_parts: format == IN_PARTS,
        content,
    })
}
