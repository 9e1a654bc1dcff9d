//! From candidates to a connected channel.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use openclaw_config::{Address, Candidate, Why};
use openclaw_proto::v1::worker_service_client::WorkerServiceClient;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};

use super::error::{DialError, Unreachable};
use crate::token::{Token, Tokens};

/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// HTTP/2 pings: how often, and how long an answer may take.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// What the coordinator may send before it is read. Many small frames must not sit unread at a full window.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;

/// What is said when a connection ends before the first answer on it.
const CLOSED_AT_ONCE: &str = "the connection was closed before an answer came; does it speak gRPC over plain HTTP/2, is this the coordinator's port?";

/// Finds a coordinator among candidates.
#[derive(Debug, Clone)]
pub struct Dialer {
    candidates: Vec<Candidate>,
    tokens: Tokens,
}

/// A coordinator that answered, at the level of the network.
#[derive(Debug, Clone)]
pub struct Dialed {
    /// Where, and why there.
    pub candidate: Candidate,
    /// The address behind the name.
    pub peer: SocketAddr,
    /// The token to show.
    pub token: Option<Token>,
    /// This very coordinator is meant: it was named, it comes first, or a stream to it was open before. What it refuses
    /// is refused for good.
    pub meant: bool,
    channel: Channel,
}

impl Dialer {
    /// A dialer for these candidates, best first; there must be one at least.
    pub fn new(candidates: Vec<Candidate>, tokens: Tokens) -> Self {
        Self { candidates, tokens }
    }

    /// The candidates, best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Tries the candidates in turn: first `last`, where a stream was open before, then the others in their order.
    pub async fn dial(&self, last: Option<&Address>) -> Result<Dialed, Unreachable> {
        let (before, others): (Vec<_>, Vec<_>) = self
            .candidates
            .iter()
            .partition(|candidate| Some(&candidate.address) == last);
        let mut tried = Vec::new();
        for candidate in before.into_iter().chain(others) {
            tracing::debug!(%candidate, "dialing");
            match self.dial_one(candidate, last).await {
                Ok(dialed) => return Ok(dialed),
                Err(error) => tried.push((candidate.clone(), error)),
            }
        }
        Err(Unreachable { tried })
    }

    async fn dial_one(
        &self,
        candidate: &Candidate,
        last: Option<&Address>,
    ) -> Result<Dialed, DialError> {
        let stream = connect(&candidate.address).await?;
        let peer = stream
            .peer_addr()
            .map_err(|source| DialError::Broken { source })?;
        let here =
            peer.ip().is_loopback() || stream.local_addr().is_ok_and(|own| own.ip() == peer.ip());
        let token = self.tokens.find(&candidate.address, here)?;
        let channel = channel(&candidate.address, stream).await?;
        let named = matches!(
            candidate.why,
            Why::Flag | Why::Setting | Why::Variable | Why::Joined
        );
        let meant =
            named || self.candidates.first() == Some(candidate) || last == Some(&candidate.address);
        Ok(Dialed {
            candidate: candidate.clone(),
            peer,
            token,
            meant,
            channel,
        })
    }
}

impl Dialed {
    /// A client on this connection.
    pub fn client(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone())
            .max_decoding_message_size(openclaw_proto::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(openclaw_proto::MAX_MESSAGE_BYTES)
    }

    /// The connection itself, for other services on it.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request that shows the token.
    pub fn request<T>(&self, body: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(body);
        if let Some(token) = &self.token
            && let Ok(mut value) =
                MetadataValue::try_from(format!("Bearer {}", token.secret.expose()))
        {
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    /// A second connection to the same coordinator.
    pub async fn again(&self) -> Result<Self, DialError> {
        let stream = reach(self.peer).await?;
        let channel = channel(&self.candidate.address, stream).await?;
        Ok(Self {
            channel,
            ..self.clone()
        })
    }
}

/// Resolves the name and connects to the first of its addresses that answers.
async fn connect(address: &Address) -> Result<TcpStream, DialError> {
    let name = |source| DialError::Name {
        host: address.host.clone(),
        source,
    };
    let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found = match timeout(CONNECT_TIMEOUT, lookup).await {
        Ok(found) => found.map_err(name)?,
        Err(_) => return Err(name(io::ErrorKind::TimedOut.into())),
    };
    let mut last = name(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    for peer in found {
        match reach(peer).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn reach(peer: SocketAddr) -> Result<TcpStream, DialError> {
    let Ok(connected) = timeout(CONNECT_TIMEOUT, TcpStream::connect(peer)).await else {
        return Err(DialError::Silent {
            peer,
            waited: CONNECT_TIMEOUT,
        });
    };
    let stream = connected.map_err(|source| DialError::of_io(peer, source))?;
    stream
        .set_nodelay(true)
        .map_err(|source| DialError::Broken { source })?;
    Ok(stream)
}

/// Speaks HTTP/2 on a connection. The channel is for this connection only: a lost one is not silently replaced.
async fn channel(address: &Address, stream: TcpStream) -> Result<Channel, DialError> {
    let endpoint = Endpoint::from_shared(address.url()).map_err(DialError::not_spoken)?;
    let once = Mutex::new(Some(TokioIo::new(stream)));
    let connector = tower::service_fn(move |_| {
        let stream = once
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        std::future::ready(
            stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, CLOSED_AT_ONCE)),
        )
    });
    endpoint
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_with_connector(connector)
        .await
        .map_err(DialError::not_spoken)
}
