//! What a process prints: counted, passed on live, its tail kept, all in bounded memory whatever it prints.
//!
//! The first 12 MiB are sent while it runs, as far as the receiver keeps up; of what could not be sent, the last 4 MiB
//! are kept and sent at the end. Offsets count every byte, so that gaps are visible. Never asks the child to wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use openclaw_common::id::LeaseId;
use tokio::sync::mpsc;

use super::api::Event;
use super::start::tell;
use crate::model::{LogChunk, Stream};

/// Largest piece in bytes.
pub(super) const CHUNK: usize = 32 * 1024;

/// Bytes of an attempt's output that are sent while it runs.
const LIVE: u64 = 12 * 1024 * 1024;

/// Memory for what has not been sent, with its bookkeeping.
const BACKLOG: usize = 4 * 1024 * 1024;

/// What a piece costs beside its bytes.
const PIECE_COST: usize = 128;

/// How long output is collected before it is sent.
const COLLECT: Duration = Duration::from_millis(50);

/// Output up to this size rides in the result.
const SMALL: usize = 4096;

/// How much of the end of standard error is quoted.
const TAIL: usize = 4096;

#[derive(Debug)]
struct Piece {
    stream: Stream,
    offset: u64,
    data: Vec<u8>,
}

/// The output of one attempt.
#[derive(Debug)]
pub(super) struct Output {
    lease: LeaseId,
    sizes: [u64; 2],
    live_left: u64,
    backlog: VecDeque<Piece>,
    backlog_cost: usize,
    oldest: Option<Instant>,
    sent: bool,
    small: Vec<Piece>,
    stderr_tail: VecDeque<u8>,
    stdout: Vec<u8>,
    stdout_limit: usize,
}

impl Output {
    /// Nothing printed yet. Up to `stdout_limit` bytes of standard output are kept as a possible result.
    pub(super) fn new(lease: LeaseId, stdout_limit: usize) -> Self {
        Self {
            lease,
            sizes: [0; 2],
            live_left: LIVE,
            backlog: VecDeque::new(),
            backlog_cost: 0,
            oldest: None,
            sent: false,
            small: Vec::new(),
            stderr_tail: VecDeque::new(),
            stdout: Vec::new(),
            stdout_limit,
        }
    }

    /// Takes in what was read.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8], now: Instant) {
        let offset = self.size(stream);
        self.sizes[index(stream)] += len64(bytes);
        let total = self.sizes.iter().sum::<u64>();
        if total <= SMALL as u64 {
            append(self.small.iter_mut().rev().take(2), stream, bytes).unwrap_or_else(|| {
                self.small.push(Piece {
                    stream,
                    offset,
                    data: bytes.to_vec(),
                });
            });
        } else {
            self.small = Vec::new();
        }
        self.keep(stream, bytes);
        self.store(stream, offset, bytes);
        self.oldest.get_or_insert(now);
    }

    /// When there is something to send.
    pub(super) fn due(&self) -> Option<Instant> {
        self.oldest
            .filter(|_| self.live_left > 0)
            .map(|oldest| oldest + COLLECT)
    }

    /// Sends what is due, as far as the channel has room to spare: a quarter of it is left to more important events.
    pub(super) fn send_due(&mut self, now: Instant, events: &mpsc::Sender<Event>) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        while self.live_left > 0 && events.capacity() > events.max_capacity() / 4 {
            let Some(event) = self.next_event() else {
                break;
            };
            if let Event::Log { chunk, .. } = &event {
                self.live_left = self.live_left.saturating_sub(len64(&chunk.data));
            }
            self.sent = true;
            drop(events.try_send(event));
        }
        self.oldest = if self.backlog.is_empty() {
            None
        } else {
            Some(now)
        };
    }

    /// Sends what is left, waiting for room. All of the output when that is small: it rides in the result then, and
    /// what of it was not sent is not sent.
    pub(super) async fn finish(&mut self, events: &mpsc::Sender<Event>) -> Vec<LogChunk> {
        let is_small = self.sizes.iter().sum::<u64>() <= SMALL as u64;
        if is_small && !self.sent {
            return self.small.drain(..).map(chunk_of).collect();
        }
        while let Some(event) = self.next_event() {
            tell(events, event).await;
        }
        self.small.drain(..).map(chunk_of).collect()
    }

    /// Bytes printed so far.
    pub(super) fn size(&self, stream: Stream) -> u64 {
        self.sizes[index(stream)]
    }

    /// The end of standard error, at most 4 KiB.
    pub(super) fn stderr_tail(&self) -> String {
        let (front, back) = self.stderr_tail.as_slices();
        let text = String::from_utf8_lossy(&[front, back].concat()).into_owned();
        // A replacement character is longer than the byte it stands for.
        let from =
            (0..=text.len()).find(|at| text.len() - at <= TAIL && text.is_char_boundary(*at));
        text[from.unwrap_or(text.len())..].to_owned()
    }

    /// Standard output from its beginning, and whether that is all of it.
    pub(super) fn stdout(&self) -> (&[u8], bool) {
        (
            &self.stdout,
            len64(&self.stdout) == self.size(Stream::Stdout),
        )
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => {
                let room = self.stdout_limit - self.stdout.len();
                self.stdout
                    .extend_from_slice(&bytes[..room.min(bytes.len())]);
            }
            Stream::Stderr => {
                self.stderr_tail
                    .extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
                let excess = self.stderr_tail.len().saturating_sub(TAIL);
                self.stderr_tail.drain(..excess);
            }
        }
    }

    fn store(&mut self, stream: Stream, offset: u64, bytes: &[u8]) {
        // The last two pieces are one of each stream when both print in turn.
        if append(self.backlog.iter_mut().rev().take(2), stream, bytes).is_some() {
            self.backlog_cost += bytes.len();
        } else {
            self.backlog.push_back(Piece {
                stream,
                offset,
                data: bytes.to_vec(),
            });
            self.backlog_cost += bytes.len() + PIECE_COST;
        }
        while self.backlog_cost > BACKLOG {
            let Some(dropped) = self.backlog.pop_front() else {
                break;
            };
            self.backlog_cost -= dropped.data.len() + PIECE_COST;
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        let piece = self.backlog.pop_front()?;
        self.backlog_cost -= piece.data.len() + PIECE_COST;
        Some(Event::Log {
            lease: self.lease,
            chunk: chunk_of(piece),
        })
    }
}

/// Appends to the piece of the same stream among `pieces`, newest first, when it has room.
fn append<'a>(
    mut pieces: impl Iterator<Item = &'a mut Piece>,
    stream: Stream,
    bytes: &[u8],
) -> Option<()> {
    let piece = pieces.find(|piece| piece.stream == stream)?;
    if piece.data.len() + bytes.len() > CHUNK {
        return None;
    }
    piece.data.extend_from_slice(bytes);
    Some(())
}

fn chunk_of(piece: Piece) -> LogChunk {
    LogChunk {
        stream: piece.stream,
        offset: piece.offset,
        data: Bytes::from(piece.data),
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

fn len64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
