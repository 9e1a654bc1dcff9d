//! The channel and the one way in which all calls go through it.

use std::time::Duration;

use openclaw_proto::MAX_MESSAGE_BYTES;
use openclaw_proto::v1::cluster_service_client::ClusterServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::bearer::Tokens;
use super::diagnose;
use crate::address::Address;
use crate::exit::Exit;
use crate::failure::Failure;

/// The generated client with its channel and token.
pub(super) type Rpc = ClusterServiceClient<InterceptedService<Channel, Tokens>>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
/// A call that should be answered at once is given up after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to one coordinator. It connects with the first call and again after every break.
#[derive(Debug, Clone)]
pub struct Client {
    rpc: Rpc,
    tokens: Tokens,
    address: Address,
    chosen_by: String,
}

impl Client {
    /// Prepares the channel; nothing is sent yet. `chosen_by` says in words why it is this address.
    pub fn new(address: Address, chosen_by: String, tokens: Tokens) -> Result<Self, Failure> {
        let endpoint = Endpoint::from_shared(address.uri())
            .and_then(|endpoint| {
                endpoint.user_agent(concat!("openclaw-cluster/", env!("CARGO_PKG_VERSION")))
            })
            .map_err(|error| {
                Failure::usage(format!("`{address}` is no coordinator address: {error}"))
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE);
        let rpc = ClusterServiceClient::with_interceptor(endpoint.connect_lazy(), tokens.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self {
            rpc,
            tokens,
            address,
            chosen_by,
        })
    }

    /// Where it connects to.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The token it sends at the moment, if any.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Makes one call. Tries the next token when one is refused: a refused call had no effect.
    pub(super) async fn send<Q, A, F>(
        &self,
        request: &Q,
        patience: Duration,
        method: F,
    ) -> Result<A, Status>
    where
        Q: Clone,
        F: AsyncFn(&mut Rpc, Request<Q>) -> Result<Response<A>, Status>,
    {
        let mut rpc = self.rpc.clone();
        loop {
            let answer =
                tokio::time::timeout(patience, method(&mut rpc, Request::new(request.clone())))
                    .await;
            match answer {
                Err(_) => {
                    return Err(Status::deadline_exceeded(format!(
                        "no answer within {} s",
                        patience.as_secs()
                    )));
                }
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status))
                    if status.code() == Code::Unauthenticated && self.tokens.advance() => {}
                Ok(Err(status)) => return Err(status),
            }
        }
    }

    /// Turns a status into a failure; when the connection itself broke, finds out which link did.
    pub async fn explain(&self, status: Status) -> Failure {
        if status.code() == Code::Unauthenticated {
            return self.refused(&status);
        }
        if !is_broken(&status) && !is_foreign(&status) {
            return Failure::from_status(&status);
        }
        if has_reason(&status) {
            // The coordinator itself says that it cannot answer now.
            return Failure::from_status(&status);
        }
        diagnose::broken_link(&self.address, &self.chosen_by, &status).await
    }

    fn refused(&self, status: &Status) -> Failure {
        let failure = Failure::from_status(status);
        let sources = self.tokens.sources();
        let message = match sources.as_slice() {
            [] => format!(
                "the coordinator at {} wants a token, and none was found",
                self.address
            ),
            [one] => format!(
                "the coordinator at {} refuses the token from {one}: {}",
                self.address, failure.message
            ),
            many => {
                format!(
                    "the coordinator at {} refuses every token that was found: {}",
                    self.address,
                    many.join(", ")
                )
            }
        };
        let hint = "run `openclaw-cluster token show` on the coordinator's machine, and pass what it prints with \
                    --token-file FILE or OPENCLAW_CLUSTER_TOKEN";
        Failure {
            message,
            exit: Exit::NotAllowed,
            ..failure
        }
        .hint(hint)
    }
}

/// Whether the connection broke, or the coordinator is away for the moment: the call says nothing about the work.
pub fn is_broken(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::Unknown
        | Code::Internal
        | Code::Cancelled
        | Code::Aborted
        | Code::DeadlineExceeded => !has_reason(status),
        _ => false,
    }
}

/// Whether the answer looks like one of something that is no coordinator.
fn is_foreign(status: &Status) -> bool {
    status.code() == Code::Unimplemented && !has_reason(status)
}

/// Whether it is the coordinator's own answer.
pub fn has_reason(status: &Status) -> bool {
    status.get_details_error_info().is_some()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_break_is_told_from_an_answer() {
        let answer = |code| {
            let details = ErrorDetails::with_error_info("INTERNAL", "openclaw", []);
            Status::with_error_details(code, "x", details)
        };
        assert!(is_broken(&Status::unknown("h2 protocol error")));
        assert!(is_broken(&Status::unavailable("tcp connect error")));
        assert!(
            is_broken(&answer(Code::Unavailable)),
            "the coordinator is restarting: try again"
        );
        assert!(!is_broken(&answer(Code::Internal)));
        assert!(!is_broken(&Status::not_found("x")));
    }
}
