//! The accept loops, and the end of everything they accepted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use openclaw_runtime::tasks::TaskGroup;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use super::bind::Listeners;
use super::connection;
use super::edge::Peer;
use super::seldom::Seldom;
use crate::auth::{Authenticator, Link};

/// How long to wait after the system has refused to accept (no more file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The same complaint about clients is logged so often at most.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections from this machine, the tailnet and trusted networks.
    pub connections: usize,
    /// Connections from anywhere else: they can only ask for health.
    pub strangers: usize,
    /// Longest wait for the first bytes of a connection.
    pub first_byte: Duration,
    /// Longest wait for the headers of a request of HTTP/1, and for the next request on the same connection.
    pub headers: Duration,
    /// Longest wait for a peer that does not read.
    pub stuck_write: Duration,
    /// How long connections may go on once the server is to end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            strangers: 64,
            first_byte: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            stuck_write: Duration::from_mins(1),
            drain: Duration::from_secs(5),
        }
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    group: TaskGroup,
    addresses: Vec<SocketAddr>,
    drain: Duration,
}

/// What the accept loops share.
#[derive(Debug)]
struct Shared {
    auth: Arc<Authenticator>,
    app: Router,
    limits: Limits,
    group: TaskGroup,
    friends: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    complaints: Complaints,
}

/// Each kind of trouble that clients can cause is logged by itself, now and then.
#[derive(Debug)]
struct Complaints {
    full: Seldom,
    tls: Seldom,
    accept: Seldom,
}

impl Server {
    /// Begins to accept. Every connection is a member of `group`: cancelling it stops accepting and asks connections
    /// to end, so streams should watch its token (or a parent's) too.
    pub fn start(
        listeners: Listeners,
        app: Router,
        auth: Arc<Authenticator>,
        group: TaskGroup,
        limits: Limits,
    ) -> Self {
        let addresses = listeners.addresses().to_vec();
        let shared = Arc::new(Shared {
            auth,
            app,
            limits,
            group: group.clone(),
            friends: Arc::new(Semaphore::new(limits.connections)),
            strangers: Arc::new(Semaphore::new(limits.strangers)),
            complaints: Complaints {
                full: Seldom::new(COMPLAIN_EVERY),
                tls: Seldom::new(COMPLAIN_EVERY),
                accept: Seldom::new(COMPLAIN_EVERY),
            },
        });
        for socket in listeners.into_sockets() {
            let shared = Arc::clone(&shared);
            drop(group.spawn("accept", shared.accept_all(socket)));
        }
        Self {
            group,
            addresses,
            drain: limits.drain,
        }
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting, lets requests and streams end for [`Limits::drain`], then cuts what is left. Takes at most a
    /// second longer than that, whatever the clients do.
    pub async fn shutdown(self) {
        self.group
            .shutdown(self.drain + Duration::from_secs(1))
            .await;
    }
}

impl Shared {
    async fn accept_all(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.group.cancelled() => return,
            };
            match accepted {
                Ok((stream, remote)) => self.take(stream, remote),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if let Some(unsaid) = self.complaints.accept.pass() {
                        tracing::warn!(%error, unsaid, "cannot accept connections; trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection beside the others, or closes it at once when there are too many.
    fn take(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let peer = Peer { remote, local };
        let Some(permit) = self.permit(peer.link()) else {
            if let Some(unsaid) = self.complaints.full.pass() {
                tracing::warn!(peer = %remote, unsaid, "too many connections; closed one");
            }
            return;
        };
        let shared = Arc::clone(self);
        drop(self.group.spawn("connection", async move {
            let _permit = permit;
            let (app, group) = (shared.app.clone(), shared.group.clone());
            let plain = connection::serve(stream, peer, app, group, shared.limits).await;
            if !plain && let Some(unsaid) = shared.complaints.tls.pass() {
                tracing::warn!(
                    peer = %remote, unsaid,
                    "a client speaks TLS, this port speaks plain text: use http:// (grpcurl: -plaintext)"
                );
            }
        }));
    }

    fn permit(&self, link: Link) -> Option<OwnedSemaphorePermit> {
        let friend = self.auth.trusts(link);
        let pool = if friend {
            &self.friends
        } else {
            &self.strangers
        };
        Arc::clone(pool).try_acquire_owned().ok()
    }
}

/// Errors that are about the connection that was to be accepted, not about the socket.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
