//! What every request passes before it is routed, and every answer on its way out; the same for HTTP and gRPC.
//!
//! In this order: a request id, the host and origin check, who asks, a place among the requests in flight, the
//! client's deadline, a net for panics.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use openclaw_common::code::ErrorCode;
use openclaw_core::effect::Refusal;
use openclaw_core::model::Principal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Instrument as _;

use super::deadline;
use super::drain::HeldBody;
use crate::auth::{Access, Authenticator, HostPolicy, HostRefusal, Link, access_of};
use crate::gateway::problem::Problem;
use crate::reply;

/// Requests and streams of clients at the same time; streams of workers are bounded by their connections.
const IN_FLIGHT: usize = 8192;
/// Carries the id of a request both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// The two ends of the connection that a request came over. In the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The client.
    pub remote: SocketAddr,
    /// The own address that the client has reached.
    pub local: SocketAddr,
}

/// Names one request, in answers and logs. In the extensions of every request.
#[derive(Debug, Clone)]
pub struct RequestId(Arc<str>);

/// Everything that is checked at the edge. Requests that pass carry [`Peer`], [`RequestId`] and, unless the path is
/// open to everybody, a [`Principal`] in their extensions.
#[derive(Debug, Clone)]
pub struct Edge {
    auth: Arc<Authenticator>,
    hosts: Arc<HostPolicy>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// How a client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Http,
    Grpc,
}

/// What a request that may go on holds.
struct Pass {
    principal: Option<Principal>,
    place: Option<OwnedSemaphorePermit>,
}

impl Peer {
    /// The two addresses, without ports.
    pub fn link(&self) -> Link {
        Link {
            remote: self.remote.ip(),
            local: self.local.ip(),
        }
    }
}

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client's id if it is short and plain, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let plain = |id: &&str| {
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(fine)
        };
        let given = headers
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok())
            .filter(plain);
        given.map_or_else(Self::random, |id| Self(Arc::from(id)))
    }

    fn random() -> Self {
        let mut bytes = [0; 16];
        // Without randomness ids repeat; requests go on all the same.
        let _ = getrandom::fill(&mut bytes);
        Self(Arc::from(
            ulid::Ulid(u128::from_be_bytes(bytes)).to_string(),
        ))
    }
}

impl Face {
    fn of(headers: &HeaderMap) -> Self {
        if is_grpc(headers) {
            Self::Grpc
        } else {
            Self::Http
        }
    }

    /// The answer to somebody who is not let in. The detail says what to do; the usual hint would say it again.
    fn turn_away(self, refusal: &Refusal) -> Response {
        match self {
            Self::Grpc => grpc_answer(&reply::status(refusal)),
            Self::Http => Problem::from(refusal.clone()).without_hint().into(),
        }
    }

    /// The answer to a request that may not go on.
    fn refuse(self, refusal: &Refusal) -> Response {
        match self {
            Self::Grpc => grpc_answer(&reply::status(refusal)),
            Self::Http => Problem::from(refusal.clone()).into(),
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|bytes| bytes.starts_with(b"application/grpc"))
}

impl Edge {
    /// `stop` ends the streams of health and reflection when the server is to end; all other streams watch it
    /// themselves.
    pub fn new(auth: Arc<Authenticator>, hosts: HostPolicy, stop: CancellationToken) -> Self {
        Self {
            auth,
            hosts: Arc::new(hosts),
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
            stop,
        }
    }

    /// Everything that may keep a request out.
    fn admit(&self, request: &Request, face: Face) -> Result<Pass, Box<Response>> {
        let refuse = |refusal: Refusal| Box::new(face.refuse(&refusal));
        let Some(peer) = request.extensions().get::<Peer>() else {
            return Err(refuse(reply::refusal(
                ErrorCode::Internal,
                "the connection is not known",
            )));
        };
        self.hosts
            .check(request.uri(), request.headers(), peer.local.ip())
            .map_err(|refusal| Box::new(misdirected(&refusal).into()))?;
        let access = access_of(request.method(), request.uri().path());
        let principal = access
            .map(|access| self.identify(peer, request.headers(), access))
            .transpose();
        let principal = principal.map_err(|refusal| Box::new(face.turn_away(&refusal)))?;
        let place = match access {
            Some(Access::Worker) => None,
            _ => Some(self.place().map_err(refuse)?),
        };
        Ok(Pass { principal, place })
    }

    fn identify(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        access: Access,
    ) -> Result<Principal, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let bearer = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(bearer(value).ok_or_else(unreadable_token)?),
            (Some(_), Some(_)) => return Err(unreadable_token()),
        };
        self.auth.authenticate(peer.link(), bearer, access)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let full = |_| {
            reply::refusal(
                ErrorCode::Overloaded,
                format!("{IN_FLIGHT} requests are being answered already"),
            )
        };
        Arc::clone(&self.places).try_acquire_owned().map_err(full)
    }

    /// Streams of services that do not know about the end of the server.
    fn stop_of(&self, path: &str, face: Face) -> Option<CancellationToken> {
        (face == Face::Grpc && path.starts_with("/grpc.")).then(|| self.stop.clone())
    }
}

/// The middleware.
pub(super) async fn pass(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let face = Face::of(request.headers());
    let id = RequestId::of(request.headers());
    let span = tracing::debug_span!("request", request_id = id.as_str(), method = %request.method(), path = request.uri().path());
    request.extensions_mut().insert(id.clone());
    let answer = async {
        let answer = match edge.admit(&request, face) {
            Ok(pass) => run(&edge, pass, face, request, next).await,
            Err(refused) => *refused,
        };
        let answer = finish(answer, face, &id);
        tracing::debug!(status = answer.status().as_u16(), elapsed = ?started.elapsed(), "answered");
        answer
    };
    answer.instrument(span).await
}

async fn run(edge: &Edge, pass: Pass, face: Face, mut request: Request, next: Next) -> Response {
    let stop = edge.stop_of(request.uri().path(), face);
    let patience = if face == Face::Grpc {
        deadline::of(request.headers())
    } else {
        None
    };
    if let Some(principal) = pass.principal {
        request.extensions_mut().insert(principal);
    }
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = match patience {
        None => answer.await,
        Some(patience) => match timeout(patience, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                return grpc_answer(&Status::deadline_exceeded(
                    "the deadline sent with the call has passed",
                ));
            }
        },
    };
    let Ok(answer) = answer else {
        // The panic hook has logged where it was.
        let text =
            "a mistake in the program ended this request; the coordinator's log has the place";
        return face.refuse(&reply::refusal(ErrorCode::Internal, text));
    };
    answer.map(|body| HeldBody::wrap(body, pass.place, stop))
}

/// Gives an answer the form that its client understands, and the headers that every answer has.
fn finish(mut answer: Response, face: Face, id: &RequestId) -> Response {
    let problem = answer.extensions_mut().remove::<Problem>();
    let mut answer = match (problem, face) {
        (Some(problem), Face::Http) => problem.render(answer, id),
        (Some(problem), Face::Grpc) => grpc_answer(&problem.status()),
        (None, Face::Http) if is_grpc(answer.headers()) => {
            grpc_only().render(Response::default(), id)
        }
        (None, _) => answer,
    };
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    if face == Face::Http {
        for (name, value) in PROTECTIVE {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
    }
    answer
}

/// A browser shall neither guess, frame, run nor keep anything of an answer.
const PROTECTIVE: [(HeaderName, &str); 5] = [
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        http::header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (http::header::REFERRER_POLICY, "no-referrer"),
    (http::header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// An answer of gRPC that consists of its status alone.
fn grpc_answer(status: &Status) -> Response {
    let (parts, ()) = status.clone().into_http::<()>().into_parts();
    Response::from_parts(parts, Body::empty())
}

fn misdirected(refusal: &HostRefusal) -> Problem {
    let (status, code, title) = match refusal {
        HostRefusal::Malformed => (
            StatusCode::BAD_REQUEST,
            "HOST_MISSING",
            "The request names no host",
        ),
        HostRefusal::Unknown(_) => (
            StatusCode::MISDIRECTED_REQUEST,
            "HOST_NOT_ALLOWED",
            "Not this host",
        ),
        HostRefusal::CrossOrigin(_) => (
            StatusCode::FORBIDDEN,
            "ORIGIN_NOT_ALLOWED",
            "Not from this page",
        ),
    };
    Problem::new(status, code, title, refusal.to_string()).grpc(Code::PermissionDenied)
}

/// Somebody asked for a gRPC method in another way.
fn grpc_only() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "GRPC_ONLY",
        "This path speaks gRPC",
        "call it with a gRPC client, for example grpcurl -plaintext; the HTTP API is below /api/v1/",
    )
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

fn unreadable_token() -> Refusal {
    reply::refusal(
        ErrorCode::Unauthenticated,
        "the `authorization` header must be `Bearer` and one token",
    )
}
