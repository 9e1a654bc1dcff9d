//! What to say next, decided when the stream can take it, so that it is true when it is written.

use std::sync::Arc;

use openclaw_common::time::Now;

use super::attempt::{Attempt, Stage, blocked_milli, held};
use super::link::Link;
use super::machine::State;
use super::weight::{ITEM_BYTES, weight};
use super::{HeartbeatPart, HelloPart, Message};

/// Size at which another message begins, in bytes; one item may be larger.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// Most items of one message.
const MESSAGE_ITEMS: usize = 4_096;

impl State {
    /// Hello for the stream that is being dialed. Call it when the stream can take it, not before.
    pub fn compose_hello(&mut self, now: Now) -> HelloPart {
        if let Link::Dialing { hello_at } = &mut self.link {
            *hello_at = Some(now.mono);
        }
        self.streams += 1;
        HelloPart {
            stream_number: self.streams,
            cluster: self.remembered.map(|known| known.cluster),
            seen_epoch: self.remembered.map_or(0, |known| known.epoch),
            held: held(&self.attempts),
            slept_ms: self.slept_ms,
        }
    }

    /// Something waits to be said on the open stream.
    pub fn has_output(&self) -> bool {
        self.is_open() && !self.outbox.is_empty()
    }

    /// The next message for the open stream, as things stand now: control first, then a heartbeat that is due, results,
    /// updates. After `Bye` nothing follows: end the stream.
    pub fn compose(&mut self, now: Now) -> Option<Message> {
        if !self.is_open() {
            return None;
        }
        self.control()
            .or_else(|| self.heartbeat(now))
            .or_else(|| self.results(now))
            .or_else(|| self.updates())
            .or_else(|| {
                let reason = self.outbox.bye.take()?;
                Some(Message::Bye { reason })
            })
    }

    fn control(&mut self) -> Option<Message> {
        if let Some(nonce) = self.outbox.pong.take() {
            return Some(Message::Pong { nonce });
        }
        if let Some(reason) = self.outbox.leaving.take() {
            return Some(Message::Leaving { reason });
        }
        if let Some((reason, leases)) = self.outbox.released.pop_first() {
            return Some(Message::Released { leases, reason });
        }
        std::mem::take(&mut self.outbox.inventory).then_some(Message::Inventory)
    }

    /// A heartbeat is small, and under a steady flow of results it would otherwise never be its turn.
    fn heartbeat(&mut self, now: Now) -> Option<Message> {
        let Link::Open(session) = &mut self.link else {
            return None;
        };
        std::mem::take(&mut self.outbox.heartbeat).then(|| {
            Message::Heartbeat(HeartbeatPart {
                seq: session.next_heartbeat(now),
                seen_offer_seq: session.seen_offer_seq,
                held: held(&self.attempts),
                blocked_milli: blocked_milli(&self.attempts),
                desired_generation: self.following.generation,
            })
        })
    }

    fn results(&mut self, now: Now) -> Option<Message> {
        let (mut results, mut bytes) = (Vec::new(), 0);
        while let Some(lease) = self.outbox.results.front().copied() {
            // Acknowledged or forgotten meanwhile: nothing to say.
            if let Some(Attempt {
                stage: Stage::Done(done),
                ..
            }) = self.attempts.get_mut(&lease)
            {
                bytes += weight(&done.finished.ended);
                if !results.is_empty() && (bytes > MESSAGE_BYTES || results.len() >= MESSAGE_ITEMS)
                {
                    break;
                }
                (done.sent_at, done.in_outbox) = (Some(now.mono), false);
                results.push(Arc::clone(&done.finished));
            }
            self.outbox.results.pop_front();
        }
        (!results.is_empty()).then_some(Message::Results(results))
    }

    fn updates(&mut self) -> Option<Message> {
        let mut started = std::mem::take(&mut self.outbox.started);
        started.retain(|lease| self.is_wanted(*lease));
        let (mut progress, mut bytes) = (Vec::new(), 0);
        while bytes <= MESSAGE_BYTES
            && progress.len() < MESSAGE_ITEMS
            && let Some((lease, said)) = self.outbox.progress.pop_first()
        {
            bytes += said.message.len() + ITEM_BYTES;
            progress.push((lease, said));
        }
        (!started.is_empty() || !progress.is_empty())
            .then_some(Message::Updates { started, progress })
    }
}
