//! One connection from its first byte to its end.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use openclaw_runtime::tasks::TaskGroup;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tonic::transport::server::TcpConnectInfo;
use tower::Service as _;

use super::edge::Peer;
use super::io::PatientIo;
use super::server::Limits;

/// First byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// Ping a quiet HTTP/2 peer so often, and give it up when it has not answered for as long.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// h2 ends a connection on which many small frames sit unread; this much may.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// One stream may have this much unread: a whole message of the largest size.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// Streams that one peer may have open.
const MAX_STREAMS: u32 = 1024;
/// Headers of one request.
const MAX_HEADER_BYTES: u32 = 32 * 1024;

/// Runs what hyper wants run beside a connection as members of the server's group.
#[derive(Clone, Debug)]
struct Owned(TaskGroup);

impl<F> Executor<F> for Owned
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.0.spawn("http stream", future));
    }
}

/// What the first byte says.
#[derive(Debug, PartialEq, Eq)]
enum Greeting {
    Plain,
    Tls,
    Gone,
}

/// Serves one connection until it ends, or until a while after the group was cancelled. Whether it spoke plain text.
pub(super) async fn serve(
    stream: TcpStream,
    peer: Peer,
    app: Router,
    group: TaskGroup,
    limits: Limits,
) -> bool {
    let token = group.token();
    let greeting = tokio::select! {
        greeting = timeout(limits.first_byte, greet(&stream)) => greeting.unwrap_or(Greeting::Gone),
        () = token.cancelled() => Greeting::Gone,
    };
    if greeting == Greeting::Plain
        && let Err(error) = run(stream, peer, app, group, limits).await
    {
        tracing::debug!(peer = %peer.remote, error = %error, "a connection ended early");
    }
    greeting != Greeting::Tls
}

async fn greet(stream: &TcpStream) -> Greeting {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0] == TLS_HANDSHAKE => Greeting::Tls,
        Ok(1) => Greeting::Plain,
        _ => Greeting::Gone,
    }
}

async fn run(
    stream: TcpStream,
    peer: Peer,
    app: Router,
    group: TaskGroup,
    limits: Limits,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Only latency is lost without it.
    let _ = stream.set_nodelay(true);
    let token = group.token();
    let builder = builder(group, limits);
    let io = TokioIo::new(PatientIo::new(
        stream,
        limits.first_byte,
        limits.stuck_write,
    ));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut app = app.clone();
        async move { Ok::<_, Infallible>(infallible(app.call(introduce(request, peer)).await)) }
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = token.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => ended,
        () = sleep(limits.drain) => Err("cut at shutdown: the client kept it open".into()),
    }
}

fn builder(group: TaskGroup, limits: Limits) -> Builder<Owned> {
    let mut builder = Builder::new(Owned(group));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES);
    builder
}

/// Tells the handlers who is at the other end, tonic's way too.
fn introduce(request: Request<Incoming>, peer: Peer) -> Request<Body> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(TcpConnectInfo {
        local_addr: Some(peer.local),
        remote_addr: Some(peer.remote),
    });
    request
}

fn infallible<T>(outcome: Result<T, Infallible>) -> T {
    match outcome {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
