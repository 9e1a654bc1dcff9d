//! One control stream: what is composed goes out, what comes in is decoded and forwarded.

use std::time::Duration;

use openclaw_proto::v1;
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Streaming;

use super::dial::Dialed;
use super::error::{closed_by, explain};
use crate::convert;
use crate::state::{Closed, ClosedBy, Event};

/// Messages composed and not yet taken by the network. One: what is said is decided as late as possible.
const OUTGOING: usize = 1;
/// Events decoded and not yet handled.
const INCOMING: usize = 1_024;
/// How long the coordinator may take to answer Hello; many workers at once are let in at a bounded rate.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(30);

/// An open, or opening, control stream. Dropping it closes the connection without a word.
#[derive(Debug)]
pub struct Control {
    /// Takes the next message; `None` once the worker has said its last.
    pub outgoing: Option<mpsc::Sender<v1::ConnectRequest>>,
    /// Events of the stream; its last one is `Closed`.
    pub incoming: mpsc::Receiver<Event>,
    _reader: AbortOnDropHandle<()>,
}

/// Opens the control stream with `hello`.
pub fn open(tasks: &TaskGroup, dialed: Dialed, hello: v1::ConnectRequest) -> Control {
    let (outgoing, requests) = mpsc::channel(OUTGOING);
    let (events, incoming) = mpsc::channel(INCOMING);
    let reader: JoinHandle<()> = tasks.spawn("control stream", async move {
        let closed = match greet(&dialed, hello, requests).await {
            Ok(stream) => forward(stream, &dialed, &events).await,
            Err(closed) => closed,
        };
        // The driver may have dropped the stream meanwhile.
        drop(events.send(Event::Closed(closed)).await);
    });
    Control {
        outgoing: Some(outgoing),
        incoming,
        _reader: AbortOnDropHandle::new(reader),
    }
}

async fn greet(
    dialed: &Dialed,
    hello: v1::ConnectRequest,
    requests: mpsc::Receiver<v1::ConnectRequest>,
) -> Result<Streaming<v1::ConnectResponse>, Closed> {
    let messages = tokio_stream::once(hello).chain(ReceiverStream::new(requests));
    let mut client = dialed.client();
    match timeout(WELCOME_TIMEOUT, client.connect(dialed.request(messages))).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Closed {
            by: closed_by(&status, dialed),
            detail: explain(&status, dialed),
        }),
        Err(_) => Err(unanswered(dialed)),
    }
}

fn unanswered(dialed: &Dialed) -> Closed {
    let waited = WELCOME_TIMEOUT.as_secs();
    let detail = format!(
        "the coordinator at {} did not answer Hello within {waited} s",
        dialed.candidate
    );
    Closed {
        by: ClosedBy::Failure,
        detail,
    }
}

/// Forwards until the stream ends, and tells how it did.
async fn forward(
    mut stream: Streaming<v1::ConnectResponse>,
    dialed: &Dialed,
    events: &mpsc::Sender<Event>,
) -> Closed {
    let failure = |detail: String| Closed {
        by: ClosedBy::Failure,
        detail,
    };
    let (mut welcomed, mut ignored) = (false, 0_u64);
    loop {
        let next = if welcomed {
            Ok(stream.message().await)
        } else {
            timeout(WELCOME_TIMEOUT, stream.message()).await
        };
        let response = match next {
            Ok(Ok(Some(response))) => response,
            Ok(Ok(None)) => {
                return failure(format!(
                    "the coordinator at {} closed the stream",
                    dialed.candidate
                ));
            }
            Ok(Err(status)) => {
                return Closed {
                    by: closed_by(&status, dialed),
                    detail: explain(&status, dialed),
                };
            }
            Err(_) => return unanswered(dialed),
        };
        match convert::event(response) {
            Ok(Some(event)) => {
                welcomed |= matches!(event, Event::Welcomed(_));
                if events.send(event).await.is_err() {
                    return failure("the stream was dropped".to_owned());
                }
            }
            Ok(None) => {
                ignored += 1;
                tracing::debug!(
                    ignored,
                    "messages of kinds that this build does not know are ignored"
                );
            }
            Err(error) => {
                return failure(format!("the coordinator at {}: {error}", dialed.candidate));
            }
        }
    }
}
