//! From the settings to sockets that listen.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};

/// `coordinator.host` that stands for loopback and the tailnet address, and nothing else.
const TAILSCALE: &str = "tailscale";

/// The sockets of one server; all have the same port.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// Why the coordinator cannot listen. Every text names the address and the next step.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "{0} is in use by another program (is a coordinator running already?): stop that program, or choose another \
         port with --port"
    )]
    InUse(SocketAddr),
    /// The operating system does not allow it.
    #[error("this user may not listen on {0}: choose a port above 1023 with --port")]
    Forbidden(SocketAddr),
    /// The machine has no such address.
    #[error(
        "{0} is not an address of this machine: correct `coordinator.host` or --host (0.0.0.0 means all of them)"
    )]
    NotOurs(SocketAddr),
    /// A name that cannot be resolved.
    #[error(
        "`{host}` (`coordinator.host` or --host) is neither an address nor a known name: {source}"
    )]
    Unknown {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// `tailscale` without a tailnet.
    #[error(
        "`coordinator.host` is `tailscale`, but this machine has no tailnet address: start Tailscale (`tailscale up`), or \
         choose another --host"
    )]
    NoTailnet,
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Listeners {
    /// Listens on every address that `host` means: an address, a name, or `tailscale`. With port 0 the system chooses
    /// one port for all of them.
    pub async fn bind(host: &str, port: u16) -> Result<Self, BindError> {
        Self::on(addresses_of(host, port).await?).await
    }

    /// Listens on these addresses.
    async fn on(wanted: Vec<SocketAddr>) -> Result<Self, BindError> {
        let (mut sockets, mut addresses) = (Vec::new(), Vec::new());
        let mut chosen = None;
        for mut address in wanted {
            if let (0, Some(port)) = (address.port(), chosen) {
                address.set_port(port);
            }
            let socket = TcpListener::bind(address)
                .await
                .map_err(|error| explain(address, error))?;
            let bound = socket
                .local_addr()
                .map_err(|source| BindError::Other { address, source })?;
            chosen = Some(bound.port());
            sockets.push(socket);
            addresses.push(bound);
        }
        Ok(Self { sockets, addresses })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Under which addresses programs on this machine reach it, the best one first; `host:port`.
    pub fn local_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for address in &self.addresses {
            let reached = match address.ip() {
                ip if ip.is_unspecified() || ip.is_loopback() => {
                    format!("127.0.0.1:{}", address.port())
                }
                _ => address.to_string(),
            };
            if !names.contains(&reached) {
                names.push(reached);
            }
        }
        names
    }

    pub(super) fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

async fn addresses_of(host: &str, port: u16) -> Result<Vec<SocketAddr>, BindError> {
    if host == TAILSCALE {
        let tailnet =
            openclaw_runtime::identity::tailscale_address().ok_or(BindError::NoTailnet)?;
        return Ok(vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (tailnet, port).into(),
        ]);
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let unknown = |source| BindError::Unknown {
        host: host.to_owned(),
        source,
    };
    let mut found: Vec<SocketAddr> = lookup_host((bare, port)).await.map_err(unknown)?.collect();
    // The resolver may give an address once per kind of socket, and IPv6 where it is turned off: IPv4 comes first.
    found.sort_unstable();
    found.dedup();
    if found.iter().any(SocketAddr::is_ipv4) {
        found.retain(SocketAddr::is_ipv4);
    }
    if found.is_empty() {
        return Err(unknown(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        )));
    }
    Ok(found)
}

fn explain(address: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::PermissionDenied => BindError::Forbidden(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotOurs(address),
        _ => BindError::Other { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_flag_that_helps() {
        let first = Listeners::bind("127.0.0.1", 0).await.unwrap();
        let taken = first.addresses()[0];
        let error = Listeners::bind("127.0.0.1", taken.port())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("{taken} is in use")) && error.contains("--port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn several_addresses_share_one_port() {
        let wanted = ["127.0.0.1:0", "127.0.0.2:0"].map(|text| text.parse().unwrap());
        // Only Linux has all of 127.0.0.0/8 without being asked.
        if cfg!(target_os = "linux") {
            let listeners = Listeners::on(wanted.into()).await.unwrap();
            let [first, second] = listeners.addresses() else {
                panic!("two sockets")
            };
            assert_eq!(first.port(), second.port());
            assert_eq!(
                listeners.local_names(),
                [format!("127.0.0.1:{}", first.port())]
            );
        }
    }

    #[tokio::test]
    async fn names_and_brackets_are_understood_and_foreign_addresses_explained() {
        let local = Listeners::bind("localhost", 0).await.unwrap();
        assert!(
            local
                .addresses()
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        let foreign = Listeners::bind("192.0.2.1", 0)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            foreign.contains("not an address of this machine"),
            "{foreign}"
        );
        let unknown = Listeners::bind("no such host", 0)
            .await
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("`no such host`"), "{unknown}");
        if let Ok(v6) = Listeners::bind("[::1]", 0).await {
            assert!(v6.addresses()[0].is_ipv6());
        }
    }
}
