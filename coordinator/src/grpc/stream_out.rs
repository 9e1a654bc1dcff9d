//! What goes out on a worker's stream: messages of the core in their order, specifications added.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use openclaw_common::id::SessionId;
use openclaw_core::effect::{Close, Offer, Send};
use openclaw_proto::v1::connect_response::Message;
use openclaw_proto::{SOFT_MESSAGE_BYTES, v1};
use tonic::Status;

use super::convert::{self, Greeting};
use crate::handle::Handle;
use crate::outbox::{End, Out, OutboxReader};
use crate::reply;

/// Messages composed at once.
const AT_ONCE: usize = 64;
/// What an offer takes on the wire beside its specification.
const OFFER_OVERHEAD: usize = 64;

/// The outgoing half of one stream.
pub(super) struct StreamOut {
    handle: Handle,
    greeting: Arc<Greeting>,
    session: SessionId,
    queue: OutboxReader,
    taken: Vec<Out>,
    ready: VecDeque<Result<v1::ConnectResponse, Status>>,
    /// The name of the node, once welcomed.
    node: Option<Arc<str>>,
    ended: bool,
}

impl StreamOut {
    pub(super) fn new(
        handle: Handle,
        greeting: Arc<Greeting>,
        session: SessionId,
        queue: OutboxReader,
    ) -> Self {
        Self {
            handle,
            greeting,
            session,
            queue,
            taken: Vec::new(),
            ready: VecDeque::new(),
            node: None,
            ended: false,
        }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<v1::ConnectResponse, Status>> {
        stream::unfold(self, |mut out| async move {
            out.next().await.map(|message| (message, out))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<v1::ConnectResponse, Status>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.ended {
                return None;
            }
            let mut taken = std::mem::take(&mut self.taken);
            if self.queue.recv_many(&mut taken, AT_ONCE).await == 0 {
                self.end();
            }
            for out in taken.drain(..) {
                if self.ended {
                    break;
                }
                self.compose(out).await;
            }
            self.taken = taken;
        }
    }

    async fn compose(&mut self, out: Out) {
        match out {
            Out::Ignored(leases) => self.extend(convert::result_acks(&leases)),
            Out::End => self.end(),
            Out::Send(Send::Welcome(welcome)) => {
                tracing::info!(node = %welcome.node, session = self.session.0, protocol = welcome.protocol, "a worker is connected");
                self.node = Some(Arc::clone(&welcome.node));
                let greeting = Arc::clone(&self.greeting);
                self.extend(convert::welcome(&welcome, self.session, &greeting));
            }
            Out::Send(Send::Offers { offer_seq, offers }) => self.offers(offer_seq, &offers).await,
            Out::Send(Send::HeartbeatAck { seq }) => {
                self.one(Message::HeartbeatAck(v1::HeartbeatAck { seq }));
            }
            Out::Send(Send::Verdicts(verdicts)) => self.extend(convert::verdicts(&verdicts)),
            Out::Send(Send::ResultAcks(leases)) => self.result_acks(&leases),
            Out::Send(Send::Revoke(leases)) => self.extend(convert::revoke(&leases)),
            Out::Send(Send::Desired(desired)) => {
                self.one(Message::DesiredState(convert::desired(desired)));
            }
            Out::Send(Send::LeavingAck { last_offer_seq }) => {
                self.one(Message::LeavingAck(v1::LeavingAck { last_offer_seq }));
            }
            Out::Send(Send::Ping { nonce }) => self.one(Message::Ping(v1::Ping { nonce })),
        }
    }

    /// Acknowledgements that follow each other travel together.
    fn result_acks(&mut self, leases: &[openclaw_common::id::LeaseId]) {
        if let Some(Ok(last)) = self.ready.back_mut()
            && let Some(Message::ResultAcks(acks)) = &mut last.message
            && acks.leases.len() + leases.len() <= 10_000
        {
            acks.leases
                .extend(leases.iter().copied().map(convert::wire_lease));
            return;
        }
        self.extend(convert::result_acks(leases));
    }

    async fn offers(&mut self, offer_seq: u64, offers: &[Offer]) {
        let tasks = offers.iter().map(|offer| offer.task).collect();
        let specs = match self.handle.specs(tasks).await {
            Ok(specs) => specs,
            Err(refusal) => {
                tracing::error!(
                    session = self.session.0,
                    detail = refusal.detail,
                    "specifications cannot be read; the stream is ended"
                );
                self.ready.push_back(Err(reply::status(&refusal)));
                self.ended = true;
                return;
            }
        };
        let mut filling = Filling::default();
        for (offer, spec) in offers.iter().zip(specs) {
            let Some(spec) = spec else {
                // The worker doesn't list it in its next heartbeat, and the core takes it back.
                tracing::error!(task = %offer.task, "the specification of an offered task is missing");
                continue;
            };
            if let Some(full) = filling.add(*offer, spec) {
                self.one(Message::Offers(v1::Offers {
                    offer_seq,
                    offers: full,
                    more: true,
                }));
            }
        }
        self.one(Message::Offers(v1::Offers {
            offer_seq,
            offers: filling.offers,
            more: false,
        }));
    }

    /// The last words, which depend on why the stream ends.
    fn end(&mut self) {
        self.ended = true;
        let end = self.queue.end();
        if let Some(node) = &self.node {
            tracing::info!(node = %node, session = self.session.0, why = %why(&end), "a worker's stream ends");
        }
        match end {
            End::Gone | End::Core(Close::Bye) => {}
            End::Core(Close::Superseded { by }) => {
                self.one(Message::Superseded(v1::Superseded { by }));
            }
            End::Draining {
                come_back_after_ms,
                reason,
            } => self.one(Message::Draining(v1::Draining {
                come_back_after_ms,
                reason,
            })),
            End::Core(Close::Replaced) => self.fail(Status::aborted(
                "a newer stream of this worker took its place",
            )),
            End::Core(Close::Refused(refusal)) => self.fail(reply::status(&refusal)),
            End::Core(Close::Protocol(what)) => self.fail(Status::invalid_argument(what)),
            End::Overflow => self.fail(Status::resource_exhausted(
                "this worker does not take what is sent to it",
            )),
        }
    }

    fn fail(&mut self, status: Status) {
        self.ready.push_back(Err(status));
    }

    fn one(&mut self, message: Message) {
        self.ready.push_back(Ok(v1::ConnectResponse {
            message: Some(message),
        }));
    }

    fn extend(&mut self, messages: impl Iterator<Item = Message>) {
        for message in messages {
            self.one(message);
        }
    }
}

/// Offers that are being put into one message.
#[derive(Default)]
struct Filling {
    offers: Vec<v1::Offer>,
    bytes: usize,
}

impl Filling {
    /// Adds an offer; returns the ones before it when they fill a message.
    fn add(&mut self, offer: Offer, spec: Bytes) -> Option<Vec<v1::Offer>> {
        let bytes = spec.len() + OFFER_OVERHEAD;
        let full = !self.offers.is_empty() && self.bytes + bytes > SOFT_MESSAGE_BYTES;
        let before = full.then(|| std::mem::take(&mut self.offers));
        if full {
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.offers.push(v1::Offer {
            lease: Some(convert::wire_lease(offer.lease)),
            attempt: offer.attempt,
            task_spec: spec,
        });
        before
    }
}

/// Why a stream ends, for the log.
fn why(end: &End) -> &str {
    match end {
        End::Gone => "the worker is gone",
        End::Overflow => "the worker does not take what is sent to it",
        End::Draining { reason, .. } => reason,
        End::Core(Close::Bye) => "the worker has stopped",
        End::Core(Close::Replaced) => "a newer stream took its place",
        End::Core(Close::Superseded { .. }) => "another process took over its identity",
        End::Core(Close::Refused(refusal)) => &refusal.detail,
        End::Core(Close::Protocol(what)) => what,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use openclaw_core::effect::Offer;
    use openclaw_proto::SOFT_MESSAGE_BYTES;

    use super::Filling;

    fn offer() -> Offer {
        Offer {
            lease: openclaw_common::id::LeaseId::default(),
            attempt: 1,
            task: openclaw_common::id::TaskId(1),
        }
    }

    #[test]
    fn a_message_is_full_before_the_soft_limit_but_takes_one_larger_item() {
        let mut filling = Filling::default();
        let half = Bytes::from(vec![0; SOFT_MESSAGE_BYTES / 2]);
        assert!(filling.add(offer(), half.clone()).is_none());
        assert_eq!(
            filling.add(offer(), half.clone()).map(|full| full.len()),
            Some(1)
        );
        let huge = Bytes::from(vec![0; SOFT_MESSAGE_BYTES * 2]);
        assert_eq!(filling.add(offer(), huge).map(|full| full.len()), Some(1));
        assert_eq!(filling.add(offer(), half).map(|full| full.len()), Some(1));
        assert_eq!(filling.offers.len(), 1);
    }
}
