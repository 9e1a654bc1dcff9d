//! Waiting for the two programs by condition, never by time alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use openclaw_proto::v1;
use tokio::net::TcpStream;

use super::child::Program;
use crate::client::{Client, http_status};
use crate::failure::Failure;
use crate::follow::{Stop, Watcher};

const POLL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(1);
const ANSWER: Duration = Duration::from_secs(2);

/// The coordinator's port on this machine.
pub(super) const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Refuses a port on which something listens already: its answers would be taken for those of the new coordinator.
pub(super) async fn check_port(port: u16) -> Result<(), Failure> {
    if TcpStream::connect(local(port)).await.is_err() {
        return Ok(());
    }
    let ours = http_status(local(port), "/livez", ANSWER).await.is_ok();
    let who = if ours {
        "a coordinator or another web server"
    } else {
        "another program"
    };
    Err(Failure::local("PORT_IN_USE", format!("port {port} is taken by {who}"))
        .hint("`openclaw-cluster status` shows whether a cluster runs already; else choose another with --port"))
}

/// Waits until the coordinator says that it is ready.
pub(super) async fn coordinator(
    program: &mut Program,
    port: u16,
    watcher: &mut Watcher,
) -> Result<(), Stop> {
    let asking = async {
        while !matches!(
            http_status(local(port), "/readyz", ANSWER).await,
            Ok((200, _))
        ) {
            tokio::time::sleep(POLL).await;
        }
    };
    within(program, asking, watcher).await
}

/// Waits until the worker is connected; gives its node.
pub(super) async fn worker(
    program: &mut Program,
    client: &Client,
    watcher: &mut Watcher,
) -> Result<v1::Node, Stop> {
    let asking = async {
        loop {
            let nodes = client
                .try_list_nodes(&v1::ListNodesRequest::default())
                .await;
            let connected =
                |node: &v1::Node| node.status() == v1::NodeStatus::Online && node.protocol != 0;
            if let Some(node) = nodes
                .ok()
                .and_then(|answer| answer.nodes.into_iter().find(connected))
            {
                return node;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    within(program, asking, watcher).await
}

/// `asking`, unless the program ends first or takes too long.
async fn within<T>(
    program: &mut Program,
    asking: impl Future<Output = T>,
    watcher: &mut Watcher,
) -> Result<T, Stop> {
    let racing = async {
        tokio::select! {
            biased;
            failure = program.ended() => Err(Some(failure)),
            answer = asking => Ok(answer),
            () = tokio::time::sleep(PATIENCE) => Err(None),
        }
    };
    match watcher.until(racing).await? {
        Ok(answer) => Ok(answer),
        Err(Some(failure)) => Err(Stop::Failed(failure)),
        Err(None) => Err(Stop::Failed(
            program.failure(&format!("was not ready after {} s", PATIENCE.as_secs())),
        )),
    }
}
