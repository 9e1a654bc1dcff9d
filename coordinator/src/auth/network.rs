//! How far a peer is trusted for its address alone.

use std::net::IpAddr;

use ipnet::IpNet;

/// The addresses at both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The peer's.
    pub remote: IpAddr,
    /// The own one that the peer has reached.
    pub local: IpAddr,
}

/// Where a peer is, as far as trust goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// This machine.
    Loopback,
    /// This machine by another of its addresses, or a network whose links are encrypted or declared trusted: plain text
    /// may carry a token.
    Trusted,
    /// Anywhere else.
    Elsewhere,
}

impl Distance {
    /// A peer that has our own address is on this machine: its bytes leave it nowhere. An IPv4-mapped IPv6 address counts
    /// as the IPv4 address it stands for.
    pub(super) fn of(link: Link, trusted: &[IpNet]) -> Self {
        let peer = link.remote.to_canonical();
        if peer.is_loopback() {
            Self::Loopback
        } else if peer == link.local.to_canonical()
            || openclaw_runtime::identity::is_tailnet(peer)
            || trusted.iter().any(|network| network.contains(&peer))
        {
            Self::Trusted
        } else {
            Self::Elsewhere
        }
    }
}
