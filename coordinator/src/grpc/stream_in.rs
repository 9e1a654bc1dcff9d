//! What comes in on a worker's stream: decoded, checked, forwarded. Nothing is decided here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openclaw_common::id::SessionId;
use openclaw_core::effect::{Close, Refusal};
use openclaw_core::event::SessionEvent;
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::convert;
use super::registrations::Registrations;
use crate::handle::Handle;
use crate::outbox::{End, Out, Outbox};

/// A stream that has not said Hello by then is ended.
const HELLO: Duration = Duration::from_secs(10);

/// The incoming half of one stream.
pub(super) struct StreamIn {
    pub(super) handle: Handle,
    pub(super) registrations: Arc<Registrations>,
    pub(super) lease: Duration,
    pub(super) session: SessionId,
    pub(super) outbox: Outbox,
    pub(super) peer: Option<SocketAddr>,
    pub(super) stop: CancellationToken,
}

impl StreamIn {
    /// Reads until the stream ends, from whichever side.
    pub(super) async fn run(self, inbound: Streaming<v1::ConnectRequest>) {
        let written_off = self.outbox.at_once();
        tokio::select! {
            biased;
            () = written_off.cancelled() => {}
            // The driver says when to come back to those it knows; this is for the others, and waits for neither.
            () = self.stop.cancelled() => self.outbox.close(End::Draining {
                come_back_after_ms: 1_000,
                reason: "the coordinator is stopping".to_owned(),
            }),
            end = self.read(inbound) => self.outbox.close(end),
        }
        // Harmless when the driver never knew it or has ended it itself; an error means that the driver is gone.
        drop(
            self.handle
                .session_event(self.session, SessionEvent::Closed)
                .await,
        );
    }

    /// Why it ended.
    async fn read(&self, mut inbound: Streaming<v1::ConnectRequest>) -> End {
        let hello = match timeout(HELLO, inbound.message()).await {
            Ok(Ok(Some(first))) => first,
            Ok(Ok(None) | Err(_)) => return End::Gone,
            Err(_) => return End::Core(Close::Protocol("no Hello came within 10 s")),
        };
        let Some(Message::Hello(hello)) = hello.message else {
            return End::Core(Close::Protocol("the first message must be Hello"));
        };
        let hello = match convert::hello(hello) {
            Ok(hello) => hello,
            Err(refusal) => return self.refused(refusal),
        };
        let workers = self.handle.view().view.nodes.len();
        self.registrations.take_turn(workers, self.lease).await;
        if let Err(refusal) = self
            .handle
            .session_opened(self.session, self.outbox.clone(), hello)
            .await
        {
            return self.refused(refusal);
        }
        self.forward(inbound).await
    }

    async fn forward(&self, mut inbound: Streaming<v1::ConnectRequest>) -> End {
        let mut end = End::Gone;
        loop {
            let request = match inbound.message().await {
                Ok(Some(request)) => request,
                Ok(None) => return end,
                Err(error) => {
                    tracing::debug!(session = self.session.0, %error, "a worker's stream broke");
                    return End::Gone;
                }
            };
            let message = match convert::inbound(request.message, self.handle.limits()) {
                Ok(message) => message,
                Err(refusal) => return self.refused(refusal),
            };
            if message.unknown > 0 {
                tracing::debug!(
                    session = self.session.0,
                    parts = message.unknown,
                    "a worker said what this version does not know"
                );
            }
            if !message.ignored_results.is_empty() {
                self.outbox.push(Out::Ignored(message.ignored_results));
            }
            if message.event == Some(SessionEvent::Bye) {
                end = End::Core(Close::Bye);
            }
            if let Some(event) = message.event
                && let Err(refusal) = self.handle.session_event(self.session, event).await
            {
                return self.refused(refusal);
            }
        }
    }

    fn refused(&self, refusal: Refusal) -> End {
        tracing::warn!(session = self.session.0, peer = ?self.peer, code = %refusal.code, detail = refusal.detail, "a worker's stream is refused");
        End::Core(Close::Refused(refusal))
    }
}
