//! What went wrong on the way to the coordinator, in words with a next step, and whether trying again can help.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use openclaw_config::{Candidate, Why};
use tonic::{Code, Status};

use super::dial::Dialed;
use crate::state::{Closed, ClosedBy, Exit};
use crate::token::TokenError;

/// Why one address did not lead to a coordinator.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name means nothing.
    #[error(
        "the name `{host}` is not known ({source}): check the spelling and the resolver, with Tailscale `tailscale status`"
    )]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("nothing listens at {peer}: start openclaw-coordinator there, or correct the port")]
    Refused {
        /// The address.
        peer: SocketAddr,
    },
    /// There is no way there.
    #[error("no route to {peer} ({source}): check the network and, with Tailscale, `tailscale ping {}`", peer.ip())]
    Route {
        /// The address.
        peer: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// No answer at all.
    #[error(
        "{peer} did not answer within {} s: is the machine awake, does its firewall let port {} in? try `tailscale ping {}`",
        waited.as_secs(), peer.port(), peer.ip()
    )]
    Silent {
        /// The address.
        peer: SocketAddr,
        /// For how long.
        waited: Duration,
    },
    /// The connection broke at once.
    #[error("the connection broke as it was made ({source})")]
    Broken {
        /// What the operating system said.
        source: io::Error,
    },
    /// What answers is no coordinator.
    #[error(
        "what answers there does not speak gRPC over plain HTTP/2 ({what}): is this the coordinator's port?"
    )]
    NotSpoken {
        /// What happened.
        what: String,
    },
    /// A token was named that cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// No candidate leads to a coordinator: each with its reason.
#[derive(Debug)]
pub struct Unreachable {
    /// What was tried, in order.
    pub tried: Vec<(Candidate, DialError)>,
}

impl DialError {
    pub(super) fn of_io(peer: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { peer },
            _ => Self::Route { peer, source },
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(super) fn not_spoken(error: tonic::transport::Error) -> Self {
        Self::NotSpoken {
            what: causes(&error),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("no coordinator found. Tried ")?;
        for (at, (candidate, error)) in self.tried.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(out, "{separator}{}: {error}", self::place(candidate))?;
        }
        Ok(())
    }
}

impl std::error::Error for Unreachable {}

impl From<&Unreachable> for Closed {
    fn from(error: &Unreachable) -> Self {
        // A token file that cannot be read may be readable at the next try; it is told each time.
        Self {
            by: ClosedBy::Failure,
            detail: error.to_string(),
        }
    }
}

/// What a status that ended, or refused, a stream means for the next try.
pub fn closed_by(status: &Status, dialed: &Dialed) -> ClosedBy {
    match status.code() {
        // A coordinator that was only found where one might be is perhaps not the one that this worker belongs to.
        Code::Unauthenticated | Code::PermissionDenied if dialed.meant => {
            ClosedBy::Refusal(Exit::NotAllowed)
        }
        Code::AlreadyExists if dialed.meant => ClosedBy::Refusal(Exit::IdentityTaken),
        Code::FailedPrecondition => ClosedBy::Incompatible,
        _ => ClosedBy::Failure,
    }
}

/// A status in words for people: who said it, what it means, what to do.
pub fn explain(status: &Status, dialed: &Dialed) -> String {
    let (place, address) = (place(&dialed.candidate), &dialed.candidate.address);
    let who = format!("the coordinator at {place}");
    let message = status.message();
    match (status.code(), &dialed.token) {
        (Code::Unauthenticated, Some(token)) => {
            format!(
                "{who} does not accept the token of {}: {message}{}",
                token.from,
                next_step(message)
            )
        }
        (Code::Unauthenticated, None) => format!(
            "{who} needs a token and none was found: {message}. Run `openclaw-worker join {address} TOKEN`, or set \
             OPENCLAW_CLUSTER_TOKEN{}",
            next_step(message)
        ),
        (Code::PermissionDenied, _) => format!("{who} does not allow this worker: {message}"),
        (Code::AlreadyExists, _) => format!("{who} has this node already: {message}"),
        (Code::FailedPrecondition, _) => {
            format!("{who} and this worker do not fit together: {message}")
        }
        (Code::Unimplemented, _) => {
            format!("what answers at {place} is no OpenClaw coordinator: {message}")
        }
        (code, _) => format!("{who}: {} ({code:?})", in_full(status)),
    }
}

/// Where the right token is, unless the coordinator has said so itself.
fn next_step(message: &str) -> &'static str {
    if message.contains("token show") {
        ""
    } else {
        "; `openclaw-cluster token show` on its machine prints it"
    }
}

/// An address and why it was tried, unless whoever reads this has just typed it.
fn place(candidate: &Candidate) -> String {
    match candidate.why {
        Why::Flag => candidate.address.to_string(),
        _ => candidate.to_string(),
    }
}

/// The message with what the library knows beyond it.
fn in_full(status: &Status) -> String {
    let message = status.message();
    match status.source().map(causes) {
        Some(causes) if !causes.contains(message) => format!("{message}: {causes}"),
        _ => message.to_owned(),
    }
}

/// An error with its causes, each once.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
