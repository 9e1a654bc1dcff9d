//! From a batch to the rows of one commit.

use std::collections::BTreeMap;

use bytes::Bytes;
use openclaw_common::status::TaskStatus;
use openclaw_core::record::{FinalRow, SubmitRow, Write};
use prost::Message;

use super::engine::{Change, Ops};
use super::record::key::Part;
use super::record::{convert, envelope, key, wire};

/// Specifications and payloads up to this many bytes stay in their row.
pub(super) const INLINE_BYTES: usize = 2 * 1024;
/// Most bytes of a chunk, and of a row's message. sled keeps up to 17 rows in a page and puts a page of over 128 KiB
/// into a file of its own, which it never removes; 17 values of this size stay below that.
pub(super) const CHUNK_BYTES: usize = 6 * 1024;

/// Rows that are replaced or deleted later and whose message lies in chunks: where those are. Few: such a message is
/// a node with many skills, or hundreds of attempts decided at once.
#[derive(Debug, Default)]
pub(super) struct Scattered(BTreeMap<Vec<u8>, Place>);

/// Where chunks of a row are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The commit in their keys.
    pub(super) commit: u64,
    /// How many.
    pub(super) chunks: u32,
}

impl Scattered {
    /// Remembers a row found at load.
    pub(super) fn found(&mut self, row: &[u8], place: Place) {
        self.0.insert(row.to_vec(), place);
    }
}

/// Builds the rows of one commit.
pub(super) struct Encoder<'a> {
    commit: u64,
    scattered: &'a mut Scattered,
    ops: Ops,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(commit: u64, scattered: &'a mut Scattered) -> Self {
        Self {
            commit,
            scattered,
            ops: Ops {
                commit,
                ..Ops::default()
            },
        }
    }

    /// The rows, with the mark that makes them count.
    pub(super) fn finish(mut self, mark: wire::Mark) -> Ops {
        self.replace(key::META_COMMIT.to_vec(), &mark);
        self.ops
    }

    pub(super) fn write(&mut self, write: &Write) {
        match write {
            Write::Submit(row) => self.submit(row),
            Write::Offer(row) => self.add(key::offer(row.id), &convert::offer(row), true),
            Write::OfferDone(id) => self.delete(key::offer(*id)),
            Write::State(row) => self.replace(key::state(row.id), &convert::state(row)),
            Write::Final(row) => self.ended(row),
            Write::Node(row) => self.replace(key::node(&row.name), &convert::node(row)),
        }
    }

    fn submit(&mut self, row: &SubmitRow) {
        let task = &row.task;
        let at = key::task(task.id);
        let (spec, parts) = inline(&task.spec);
        self.add(at.clone(), &convert::submit(row, spec, parts), false);
        if parts.is_some() {
            self.chunks(&at, Part::Blob, &task.spec);
        }
        let named = convert::caller_key(task.id, task.body_hash);
        if let Some(name) = &task.key {
            self.add(key::caller_key(&task.user, name), &named, false);
        }
        if task.id_given {
            self.add(key::caller_key("", &task.id.to_string()), &named, false);
        }
    }

    fn ended(&mut self, row: &FinalRow) {
        let at = key::ended(row.id);
        let (payload, parts) = inline(&row.payload);
        self.add(at.clone(), &convert::ended(row, payload, parts), false);
        if parts.is_some() {
            self.chunks(&at, Part::Blob, &row.payload);
        }
        if row.status != TaskStatus::Completed {
            let index = key::ended_as(row.status, row.id);
            let value = envelope::seal(&index, self.commit, false, 0, |_| {});
            self.ops.adds.push((index, value));
        }
        if row.had_state {
            self.delete(key::state(row.id));
        }
    }

    /// A row under a key never used before. `changes`: it will be replaced or deleted one day.
    fn add(&mut self, at: Vec<u8>, message: &impl Message, changes: bool) {
        let size = message.encoded_len();
        if size <= CHUNK_BYTES {
            let value = envelope::seal(&at, self.commit, false, size, |to| message.encode_raw(to));
            self.ops.adds.push((at, value));
            return;
        }
        let bytes = message.encode_to_vec();
        let parts = parts_of(bytes.len());
        let value = envelope::seal(&at, self.commit, true, parts.encoded_len(), |to| {
            parts.encode_raw(to);
        });
        self.ops.adds.push((at.clone(), value));
        self.chunks(&at, Part::Message, &bytes);
        if changes {
            let place = Place {
                commit: self.commit,
                chunks: parts.chunks,
            };
            self.scattered.0.insert(at, place);
        }
    }

    /// A row that may take the place of one before.
    pub(super) fn replace(&mut self, at: Vec<u8>, message: &impl Message) {
        let size = message.encoded_len();
        let bytes = (size > CHUNK_BYTES).then(|| message.encode_to_vec());
        let parts = bytes.as_ref().map(|bytes| parts_of(bytes.len()));
        self.forget_chunks(&at, parts.map_or(0, |parts| parts.chunks));
        let value = match parts {
            None => envelope::seal(&at, self.commit, false, size, |to| message.encode_raw(to)),
            Some(parts) => envelope::seal(&at, self.commit, true, parts.encoded_len(), |to| {
                parts.encode_raw(to);
            }),
        };
        if let (Some(bytes), Some(parts)) = (bytes, parts) {
            self.chunks(&at, Part::Message, &bytes);
            let place = Place {
                commit: self.commit,
                chunks: parts.chunks,
            };
            self.scattered.0.insert(at.clone(), place);
        }
        self.ops.changes.push(Change::Put(at, value));
    }

    fn delete(&mut self, at: Vec<u8>) {
        self.forget_chunks(&at, 0);
        self.ops.changes.push(Change::Delete(at));
    }

    /// Deletes the chunks of the row at `at`, but for the first `kept` when this same commit writes them anew.
    fn forget_chunks(&mut self, at: &[u8], kept: u32) {
        let Some(old) = self.scattered.0.remove(at) else {
            return;
        };
        let first = if old.commit == self.commit { kept } else { 0 };
        for index in first..old.chunks {
            let chunk = key::chunk(at, Part::Message, old.commit, index);
            self.ops.changes.push(Change::Delete(chunk));
        }
    }

    fn chunks(&mut self, owner: &[u8], part: Part, bytes: &[u8]) {
        for (index, chunk) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
            let at = key::chunk(owner, part, self.commit, index);
            let value = envelope::seal(&at, self.commit, false, chunk.len(), |to| {
                to.extend_from_slice(chunk);
            });
            self.ops.adds.push((at, value));
        }
    }
}

fn parts_of(bytes: usize) -> wire::Parts {
    wire::Parts {
        chunks: u32::try_from(bytes.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX),
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
    }
}

/// What of a blob stays in its row, and where the rest goes.
fn inline(blob: &Bytes) -> (Bytes, Option<wire::Parts>) {
    if blob.len() <= INLINE_BYTES {
        (blob.clone(), None)
    } else {
        (Bytes::new(), Some(parts_of(blob.len())))
    }
}
