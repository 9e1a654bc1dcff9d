//! What was printed and is not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use openclaw_common::id::{LeaseId, TaskId};
use openclaw_proto::v1;

use crate::convert::{wire_chunk, wire_lease};
use crate::model::{LogChunk, Stream};

/// Most bytes held for all attempts together, bookkeeping included.
const LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of output in one message, about.
const MESSAGE_BYTES: usize = 256 * 1024;
/// What a piece costs beside its bytes.
const PIECE_BYTES: usize = 96;

/// Which attempt prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The attempt.
    pub lease: LeaseId,
    /// Its task.
    pub task_id: TaskId,
    /// Its number.
    pub attempt: u32,
}

/// Output that waits or is under way. Attempts take turns.
#[derive(Debug, Default)]
pub struct Buffer {
    entries: BTreeMap<LeaseId, Entry>,
    bytes: usize,
    limit: Option<usize>,
    /// Whose turn was last.
    turn: Option<LeaseId>,
    dropped: u64,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    chunks: VecDeque<LogChunk>,
    bytes: usize,
    /// How many of the chunks, from the front, went out on this connection.
    sent: usize,
    ended: bool,
    /// "Nothing more will come" went out on this connection.
    said_last: bool,
}

impl Entry {
    fn has_news(&self) -> bool {
        self.sent < self.chunks.len() || (self.ended && !self.said_last)
    }

    fn take_front(&mut self) -> Option<LogChunk> {
        let chunk = self.chunks.pop_front()?;
        self.sent = self.sent.saturating_sub(1);
        self.bytes -= weight(&chunk);
        Some(chunk)
    }
}

impl Buffer {
    /// An empty buffer with another limit than 16 MiB.
    pub fn with_limit(bytes: usize) -> Self {
        Self {
            limit: Some(bytes),
            ..Self::default()
        }
    }

    /// Takes in a piece of output.
    pub fn push(&mut self, source: Source, chunk: LogChunk) {
        let entry = self.entries.entry(source.lease).or_insert_with(|| Entry {
            source,
            chunks: VecDeque::new(),
            bytes: 0,
            sent: 0,
            ended: false,
            said_last: false,
        });
        entry.bytes += weight(&chunk);
        self.bytes += weight(&chunk);
        entry.chunks.push_back(chunk);
        self.shrink();
    }

    /// The attempt has ended: nothing more will come of it.
    pub fn ended(&mut self, lease: LeaseId) {
        if let Some(entry) = self.entries.get_mut(&lease) {
            entry.ended = true;
        }
    }

    /// Something has not gone out on this connection.
    pub fn has_news(&self) -> bool {
        self.entries.values().any(Entry::has_news)
    }

    /// Nothing waits for anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held, bookkeeping included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of output dropped so far because the coordinator took them too slowly.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The next message, of the attempt whose turn it is.
    pub fn next_message(&mut self) -> Option<v1::PushLogsRequest> {
        let after = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self
            .entries
            .range((after, Bound::Unbounded))
            .find(|(_, entry)| entry.has_news());
        let lease = *later
            .or_else(|| self.entries.iter().find(|(_, entry)| entry.has_news()))?
            .0;
        self.turn = Some(lease);
        let entry = self.entries.get_mut(&lease)?;
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        while let Some(chunk) = entry.chunks.get(entry.sent)
            && (chunks.is_empty() || bytes + chunk.data.len() <= MESSAGE_BYTES)
        {
            bytes += chunk.data.len();
            chunks.push(wire_chunk(chunk));
            entry.sent += 1;
        }
        let last = entry.ended && entry.sent == entry.chunks.len();
        entry.said_last |= last;
        let Source {
            task_id, attempt, ..
        } = entry.source;
        Some(v1::PushLogsRequest {
            lease: Some(wire_lease(lease)),
            task_id: task_id.to_string(),
            attempt,
            chunks,
            last,
        })
    }

    /// The coordinator keeps everything before these offsets.
    pub fn acknowledged(&mut self, lease: LeaseId, stdout: u64, stderr: u64) {
        let Some(entry) = self.entries.get_mut(&lease) else {
            return;
        };
        let before = entry.bytes;
        let kept = |chunk: &LogChunk| {
            let end = chunk
                .offset
                .saturating_add(u64::try_from(chunk.data.len()).unwrap_or(u64::MAX));
            end <= if chunk.stream == Stream::Stdout {
                stdout
            } else {
                stderr
            }
        };
        while entry.sent > 0 && entry.chunks.front().is_some_and(kept) {
            entry.take_front();
        }
        self.bytes -= before - entry.bytes;
        if entry.said_last && entry.chunks.is_empty() {
            self.entries.remove(&lease);
        }
    }

    /// The connection is gone: what is not acknowledged goes out again on the next one.
    pub fn disconnected(&mut self) {
        for entry in self.entries.values_mut() {
            (entry.sent, entry.said_last) = (0, false);
        }
        // Whatever the coordinator made of the last message, the result carries the final sizes.
        self.entries
            .retain(|_, entry| !entry.ended || !entry.chunks.is_empty());
    }

    fn shrink(&mut self) {
        while self.bytes > self.limit.unwrap_or(LIMIT_BYTES) {
            let Some(entry) = self.entries.values_mut().max_by_key(|entry| entry.bytes) else {
                return;
            };
            let Some(chunk) = entry.take_front() else {
                return;
            };
            self.bytes -= weight(&chunk);
            self.dropped += u64::try_from(chunk.data.len()).unwrap_or(u64::MAX);
        }
    }
}

fn weight(chunk: &LogChunk) -> usize {
    chunk.data.len() + PIECE_BYTES
}

#[cfg(test)]
mod tests {
    use openclaw_common::id::{LeaseId, TaskId};

    use super::{Buffer, Source};
    use crate::model::{LogChunk, Stream};

    fn source(counter: u64) -> Source {
        Source {
            lease: LeaseId { epoch: 1, counter },
            task_id: TaskId(u128::from(counter)),
            attempt: 1,
        }
    }

    fn chunk(stream: Stream, offset: u64, length: usize) -> LogChunk {
        LogChunk {
            stream,
            offset,
            data: vec![b'x'; length].into(),
        }
    }

    /// Offsets of the next message, and whether it is the last.
    fn next(buffer: &mut Buffer) -> Option<(Vec<u64>, bool)> {
        let message = buffer.next_message()?;
        Some((
            message.chunks.iter().map(|chunk| chunk.offset).collect(),
            message.last,
        ))
    }

    #[test]
    fn output_goes_out_once_and_again_after_a_lost_connection() {
        let mut buffer = Buffer::default();
        buffer.push(source(1), chunk(Stream::Stdout, 0, 10));
        buffer.push(source(1), chunk(Stream::Stdout, 10, 10));
        assert_eq!(next(&mut buffer), Some((vec![0, 10], false)));
        assert_eq!(next(&mut buffer), None);
        buffer.acknowledged(source(1).lease, 10, 0);
        buffer.disconnected();
        assert_eq!(
            next(&mut buffer),
            Some((vec![10], false)),
            "it resumes behind what was acknowledged"
        );
    }

    #[test]
    fn the_end_is_told_with_the_last_piece_or_alone_and_then_forgotten() {
        let mut buffer = Buffer::default();
        buffer.push(source(1), chunk(Stream::Stderr, 0, 10));
        buffer.ended(source(1).lease);
        assert_eq!(next(&mut buffer), Some((vec![0], true)));
        buffer.acknowledged(source(1).lease, 0, 10);
        assert_eq!((buffer.bytes(), buffer.has_news()), (0, false));
        buffer.push(source(2), chunk(Stream::Stderr, 0, 10));
        next(&mut buffer);
        buffer.ended(source(2).lease);
        assert_eq!(next(&mut buffer), Some((vec![], true)));
    }

    #[test]
    fn a_flood_drops_the_oldest_of_its_own_output_and_leaves_the_others_alone() {
        let mut buffer = Buffer::with_limit(100_000);
        buffer.push(source(1), chunk(Stream::Stdout, 0, 100));
        for piece in 0..100 {
            buffer.push(source(2), chunk(Stream::Stdout, piece * 10_000, 10_000));
            assert!(buffer.bytes() <= 100_000);
        }
        assert_eq!(buffer.dropped() % 10_000, 0);
        assert_eq!(next(&mut buffer), Some((vec![0], false)), "attempt 1");
        let (offsets, _) = next(&mut buffer).unwrap();
        assert_eq!(offsets.last(), Some(&990_000), "the newest is kept");
        assert!(offsets[0] > 0, "the gap shows");
    }

    #[test]
    fn attempts_take_turns() {
        let mut buffer = Buffer::default();
        for counter in [1, 2] {
            for piece in 0..20 {
                buffer.push(
                    source(counter),
                    chunk(Stream::Stdout, piece * 32_768, 32_768),
                );
            }
        }
        let turns: Vec<u64> = std::iter::from_fn(|| buffer.next_message())
            .map(|message| message.lease.unwrap().counter)
            .collect();
        assert_eq!(turns, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn an_acknowledgement_of_one_stream_does_not_free_the_other() {
        let mut buffer = Buffer::default();
        buffer.push(source(1), chunk(Stream::Stderr, 0, 10));
        buffer.push(source(1), chunk(Stream::Stdout, 0, 10));
        buffer.next_message();
        buffer.acknowledged(source(1).lease, 10, 0);
        assert!(buffer.bytes() > 0);
        buffer.acknowledged(source(1).lease, 10, 10);
        assert_eq!(buffer.bytes(), 0);
    }
}
