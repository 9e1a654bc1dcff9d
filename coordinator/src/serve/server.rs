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
use crate::auth::{Authenticator, Link};

/// How long to wait after the system has refused to accept (no more file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        });
        for socket in listeners.into_sockets() {
            let shared = Arc::clone(&shared);
            drop(group.spawn("accept", async move { shared.accept_all(socket).await }));
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
    async fn accept_all(&self, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.group.cancelled() => return,
            };
            match accepted {
                Ok((stream, remote)) => self.take(stream, remote),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves a connection beside the others, or closes it at once when there are too many.
    fn take(&self, stream: TcpStream, remote: SocketAddr) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let peer = Peer { remote, local };
        let Some(permit) = self.permit(peer.link()) else {
            tracing::debug!(peer = %remote, "too many connections; closed one");
            return;
        };
        let (app, group, limits) = (self.app.clone(), self.group.clone(), self.limits);
        drop(self.group.spawn("connection", async move {
            let _permit = permit;
            connection::serve(stream, peer, app, group, limits).await;
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
