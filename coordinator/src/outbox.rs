//! What waits to be sent on one worker's stream: bounded, filled by the driver, emptied by the stream's writer.
//!
//! An outbox that is full ends its stream: the worker reconnects, both sides compare what they know, nothing is lost.
//! Never: makes the driver wait.

use std::sync::{Arc, OnceLock};

use openclaw_common::id::LeaseId;
use openclaw_core::effect::{Close, Send};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages that one stream may be behind.
const CAPACITY: usize = 1_024;

/// Something to send.
#[derive(Debug)]
pub(crate) enum Out {
    /// A message of the core.
    Send(Send),
    /// Results that mean nothing to this version, acknowledged without the core.
    Ignored(Vec<LeaseId>),
    /// Nothing follows: the reason is in `ending`.
    End,
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The core says so.
    Core(Close),
    /// The coordinator is going away, or its store is being reopened.
    Draining {
        /// Dial again after this long, in milliseconds.
        come_back_after_ms: u32,
        /// Why, for people.
        reason: String,
    },
    /// The worker didn't take what was sent to it.
    Overflow,
    /// The worker is gone.
    Gone,
}

#[derive(Debug, Default)]
struct Ending {
    end: OnceLock<End>,
    /// Raised when the stream must end without what is still queued.
    at_once: CancellationToken,
}

/// The filling side. Clones fill the same outbox.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Out>,
    ending: Arc<Ending>,
}

/// The emptying side.
#[derive(Debug)]
pub(crate) struct OutboxReader {
    queue: mpsc::Receiver<Out>,
    ending: Arc<Ending>,
}

/// A new outbox.
pub(crate) fn outbox() -> (Outbox, OutboxReader) {
    let (sender, queue) = mpsc::channel(CAPACITY);
    let ending = Arc::new(Ending::default());
    let outbox = Outbox {
        queue: sender,
        ending: Arc::clone(&ending),
    };
    (outbox, OutboxReader { queue, ending })
}

impl Outbox {
    /// Queues a message; a full outbox ends its stream instead.
    pub(crate) fn push(&self, out: Out) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(out) {
            tracing::warn!(
                messages = CAPACITY,
                "a worker doesn't take what is sent to it; its stream is closed"
            );
            self.end_at_once(End::Overflow);
        }
    }

    /// Ends the stream after what is queued. The first reason counts.
    pub(crate) fn close(&self, end: End) {
        // Whoever came first has said why.
        drop(self.ending.end.set(end));
        if self.queue.try_send(Out::End).is_err() {
            self.ending.at_once.cancel();
        }
    }

    /// Ends the stream now. The first reason counts.
    pub(crate) fn end_at_once(&self, end: End) {
        drop(self.ending.end.set(end));
        self.ending.at_once.cancel();
    }

    /// Completes when the stream must end without what is queued.
    pub(crate) fn at_once(&self) -> CancellationToken {
        self.ending.at_once.clone()
    }
}

impl OutboxReader {
    /// Waits for messages and appends up to `limit` of them; 0: the stream ends. Cancelling it loses nothing.
    pub(crate) async fn recv_many(&mut self, into: &mut Vec<Out>, limit: usize) -> usize {
        tokio::select! {
            biased;
            () = self.ending.at_once.cancelled() => 0,
            received = self.queue.recv_many(into, limit) => received,
        }
    }

    /// Why the stream ends.
    pub(crate) fn end(&self) -> End {
        self.ending.end.get().cloned().unwrap_or(End::Gone)
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        // The reader of the stream learns from this that nobody writes any more.
        drop(self.ending.end.set(End::Gone));
        self.ending.at_once.cancel();
    }
}

#[cfg(test)]
mod tests {
    use openclaw_core::effect::{Close, Send};

    use super::{CAPACITY, End, Out, outbox};

    fn ack(seq: u64) -> Out {
        Out::Send(Send::HeartbeatAck { seq })
    }

    #[tokio::test]
    async fn what_is_queued_leaves_before_the_end() {
        let (outbox, mut reader) = outbox();
        outbox.push(ack(1));
        outbox.close(End::Core(Close::Bye));
        let mut got = Vec::new();
        assert_eq!(reader.recv_many(&mut got, 10).await, 2);
        assert!(matches!(
            got[..],
            [Out::Send(Send::HeartbeatAck { seq: 1 }), Out::End]
        ));
        assert_eq!(reader.end(), End::Core(Close::Bye));
    }

    #[tokio::test]
    async fn a_full_outbox_ends_its_stream_and_blocks_nobody() {
        let (outbox, mut reader) = outbox();
        for seq in 0..=u64::try_from(CAPACITY).unwrap() {
            outbox.push(ack(seq));
        }
        assert_eq!(reader.recv_many(&mut Vec::new(), 10).await, 0);
        assert_eq!(reader.end(), End::Overflow);
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let (outbox, reader) = outbox();
        outbox.close(End::Overflow);
        outbox.close(End::Core(Close::Bye));
        assert_eq!(reader.end(), End::Overflow);
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_is_noticed() {
        let (outbox, reader) = outbox();
        drop(reader);
        outbox.at_once().cancelled().await;
    }
}
