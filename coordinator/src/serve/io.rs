//! A connection that does not wait for ever: for the first bytes of a request, and for a reader that does not read.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes after which the protocol is known: the length of HTTP/2's preface. The shortest request of HTTP/1.1 is longer.
const PREFACE: usize = 24;

/// Wraps a stream and ends it when the peer keeps it waiting.
#[derive(Debug)]
pub(super) struct PatientIo<S> {
    stream: S,
    missing: usize,
    preface_due: Pin<Box<Sleep>>,
    write_patience: Duration,
    write_due: Option<Pin<Box<Sleep>>>,
}

impl<S> PatientIo<S> {
    /// The first 24 bytes must come within `preface`; a write may be stuck for at most `write`.
    pub(super) fn new(stream: S, preface: Duration, write: Duration) -> Self {
        Self {
            stream,
            missing: PREFACE,
            preface_due: Box::pin(sleep(preface)),
            write_patience: write,
            write_due: None,
        }
    }

    /// Passes on the outcome of a write, keeping the time while it is stuck.
    fn watch_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_due = None;
            return outcome;
        }
        let due = Instant::now() + self.write_patience;
        let timer = self
            .write_due
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(late("the peer does not read")))
    }
}

fn late(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.missing == 0 {
            return outcome;
        }
        if outcome.is_pending() {
            ready!(this.preface_due.as_mut().poll(cx));
            return Poll::Ready(Err(late("no request came")));
        }
        this.missing = this
            .missing
            .saturating_sub(buf.filled().len().saturating_sub(before));
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch_write(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.watch_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch_write(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watch_write(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_sends_half_a_preface_is_given_up() {
        let (mut client, server) = duplex(64);
        let mut server = PatientIo::new(server, SHORT, SHORT);
        client.write_all(b"PRI * HT").await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(server.read(&mut bytes).await.unwrap(), 8);
        let error = server.read(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_protocol_is_known_silence_is_allowed() {
        let (mut client, server) = duplex(64);
        let mut server = PatientIo::new(server, SHORT, SHORT);
        client.write_all(&[b'x'; PREFACE]).await.unwrap();
        let mut bytes = [0; PREFACE];
        server.read_exact(&mut bytes).await.unwrap();
        let waiting = tokio::time::timeout(SHORT * 10, server.read(&mut bytes)).await;
        assert!(waiting.is_err(), "still open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (_client, server) = duplex(8);
        let mut server = PatientIo::new(server, SHORT, SHORT);
        let error = server.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
