//! A response body that holds a place in a limit until its end, and that ends when the server is to stop.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// gRPC's `UNAVAILABLE`.
const UNAVAILABLE: &str = "14";

/// See the module.
pub(super) struct HeldBody {
    inner: Body,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl HeldBody {
    /// Wraps `inner`. With `stop`, the body of a gRPC answer ends with `UNAVAILABLE` when it is cancelled.
    pub(super) fn wrap(
        inner: Body,
        permit: Option<OwnedSemaphorePermit>,
        stop: Option<CancellationToken>,
    ) -> Body {
        Body::new(Self {
            inner,
            stop: stop.map(|token| Box::pin(token.cancelled_owned())),
            ended: false,
            _permit: permit,
        })
    }

    fn is_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        self.stop
            .as_mut()
            .is_some_and(|stop| stop.as_mut().poll(cx).is_ready())
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.is_stopped(cx) {
            self.ended = true;
            return Poll::Ready(Some(Ok(Frame::trailers(going_away()))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn going_away() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(UNAVAILABLE));
    trailers.insert(
        "grpc-message",
        HeaderValue::from_static("the coordinator is stopping%3B come back later"),
    );
    trailers
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_would_never_end_ends_when_the_server_stops() {
        let stop = CancellationToken::new();
        let endless =
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let mut body = HeldBody::wrap(endless, None, Some(stop.clone()));
        stop.cancel();
        let last = body
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_trailers()
            .unwrap();
        assert_eq!(last["grpc-status"], UNAVAILABLE);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn the_place_is_held_until_the_body_is_gone() {
        let places = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&places).try_acquire_owned().unwrap();
        let body = HeldBody::wrap(Body::from("text"), Some(permit), None);
        assert_eq!(places.available_permits(), 0);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
        assert_eq!(places.available_permits(), 1);
    }
}
