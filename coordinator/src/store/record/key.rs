//! Keys: a prefix that names the kind of row, then big-endian parts, so that rows sort by what they name.

use std::fmt::Write as _;

use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::record::BatchId;

use super::Invalid;
use super::numbers::Numbered;
use crate::store::engine::Span;

/// Accepted tasks.
pub(crate) const TASK: &[u8] = b"t/";
/// Chunks of what is too large for its row.
pub(crate) const CHUNK: &[u8] = b"s/";
/// Attempts decided together.
pub(crate) const OFFER: &[u8] = b"a/";
/// Ends of tasks.
pub(crate) const FINAL: &[u8] = b"r/";
/// What tasks have been through.
pub(crate) const STATE: &[u8] = b"h/";
/// Keys and ids chosen by callers.
pub(crate) const KEY: &[u8] = b"k/";
/// Nodes.
pub(crate) const NODE: &[u8] = b"n/";
/// About the store itself.
pub(crate) const META: &[u8] = b"m/";
/// Ends other than completed, by state.
pub(crate) const ENDED: &[u8] = b"x/";

/// The schema of the store.
pub(crate) const META_SCHEMA: &[u8] = b"m/schema";
/// The cluster's id.
pub(crate) const META_CLUSTER: &[u8] = b"m/cluster";
/// The epoch of the run that owns the store.
pub(crate) const META_EPOCH: &[u8] = b"m/epoch";
/// The mark of the last commit.
pub(crate) const META_COMMIT: &[u8] = b"m/commit";

/// Which of a row's large parts a chunk belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The specification or the payload.
    Blob,
    /// The message of the row itself.
    Message,
}

impl Part {
    const fn byte(self) -> u8 {
        match self {
            Self::Blob => b'b',
            Self::Message => b'm',
        }
    }
}

fn join(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key =
        Vec::with_capacity(prefix.len() + parts.iter().map(|part| part.len()).sum::<usize>());
    key.extend_from_slice(prefix);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// Key of an accepted task.
pub(crate) fn task(id: TaskId) -> Vec<u8> {
    join(TASK, &[&id.0.to_be_bytes()])
}

/// Key of a task's end.
pub(crate) fn ended(id: TaskId) -> Vec<u8> {
    join(FINAL, &[&id.0.to_be_bytes()])
}

/// Key of what a task has been through.
pub(crate) fn state(id: TaskId) -> Vec<u8> {
    join(STATE, &[&id.0.to_be_bytes()])
}

/// Key of attempts decided together.
pub(crate) fn offer(id: BatchId) -> Vec<u8> {
    join(OFFER, &[&id.epoch.to_be_bytes(), &id.counter.to_be_bytes()])
}

/// Key of a caller's key: the length of the user's name keeps two users' keys apart.
pub(crate) fn caller_key(user: &str, key: &str) -> Vec<u8> {
    let length = u32::try_from(user.len()).unwrap_or(u32::MAX);
    join(
        KEY,
        &[&length.to_be_bytes(), user.as_bytes(), key.as_bytes()],
    )
}

/// Key of a node.
pub(crate) fn node(name: &str) -> Vec<u8> {
    join(NODE, &[name.as_bytes()])
}

/// Key in the index of ends by state.
pub(crate) fn ended_as(status: TaskStatus, id: TaskId) -> Vec<u8> {
    join(ENDED, &[&[status_byte(status)], &id.0.to_be_bytes()])
}

fn status_byte(status: TaskStatus) -> u8 {
    u8::try_from(status.number()).unwrap_or(u8::MAX)
}

/// Key of a chunk of the row at `owner` as commit number `commit` wrote it.
pub(crate) fn chunk(owner: &[u8], part: Part, commit: u64, index: u32) -> Vec<u8> {
    join(
        CHUNK,
        &[
            owner,
            &[part.byte()],
            &commit.to_be_bytes(),
            &index.to_be_bytes(),
        ],
    )
}

/// The task that the last 16 bytes of a key name.
pub(crate) fn task_of(key: &[u8]) -> Result<TaskId, Invalid> {
    let (_, id) = key
        .split_last_chunk::<16>()
        .ok_or(Invalid::new("the key names no task"))?;
    Ok(TaskId(u128::from_be_bytes(*id)))
}

/// The offer row that a key names.
pub(crate) fn offer_of(key: &[u8]) -> Result<BatchId, Invalid> {
    let number = task_of(key)?.0.to_be_bytes();
    let (epoch, counter) = number.split_at(8);
    let read = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes);
    match (read(epoch), read(counter)) {
        (Ok(epoch), Ok(counter)) => Ok(BatchId { epoch, counter }),
        _ => Err(Invalid::new("the key names no offer")),
    }
}

/// User and key that a key names.
pub(crate) fn caller_key_of(key: &[u8]) -> Result<(&str, &str), Invalid> {
    let wrong = || Invalid::new("the key names no user");
    let rest = key.strip_prefix(KEY).ok_or_else(wrong)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| wrong())?;
    let (user, name) = rest.split_at_checked(length).ok_or_else(wrong)?;
    match (std::str::from_utf8(user), std::str::from_utf8(name)) {
        (Ok(user), Ok(name)) => Ok((user, name)),
        _ => Err(Invalid::new("the key is not text")),
    }
}

/// The node that a key names.
pub(crate) fn node_of(key: &[u8]) -> Result<&str, Invalid> {
    key.strip_prefix(NODE)
        .and_then(|name| std::str::from_utf8(name).ok())
        .ok_or(Invalid::new("the key names no node"))
}

/// All rows of a kind, in order.
pub(crate) fn all(prefix: &[u8]) -> Span {
    let mut to = prefix.to_vec();
    if let Some(last) = to.last_mut() {
        *last = last.saturating_add(1);
    }
    Span {
        from: prefix.to_vec(),
        to,
        backwards: false,
    }
}

/// Rows of a kind named by tasks, newest id first: from `from` (or the oldest) to below `before` (or to the newest).
pub(crate) fn newest_first(prefix: &[u8], from: Option<TaskId>, before: Option<TaskId>) -> Span {
    let bounds = all(prefix);
    let at = |id: TaskId| join(prefix, &[&id.0.to_be_bytes()]);
    Span {
        from: from.map_or(bounds.from, at),
        to: before.map_or(bounds.to, at),
        backwards: true,
    }
}

/// The prefix of ends in one state.
pub(crate) fn ended_prefix(status: TaskStatus) -> Vec<u8> {
    join(ENDED, &[&[status_byte(status)]])
}

/// A key for people: `t/task_01J…`, `n/macbook`, else its bytes.
pub(crate) fn shown(key: &[u8]) -> String {
    let by_task = [TASK, FINAL, STATE]
        .iter()
        .find(|prefix| key.starts_with(prefix) && key.len() == 18);
    if let (Some(_), Ok(id)) = (by_task, task_of(key)) {
        return format!("{}{id}", String::from_utf8_lossy(&key[..2]));
    }
    if let Some(owner) = key.strip_prefix(CHUNK).filter(|rest| rest.len() > 13) {
        let (owner, _) = owner.split_at(owner.len() - 13);
        return format!("s/ of {}", shown(owner));
    }
    let mut text = String::new();
    for &byte in key {
        if byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}
