//! How far a peer is trusted for its address alone.

use std::net::IpAddr;

use ipnet::IpNet;

/// Where a peer is, as far as trust goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// This machine.
    Loopback,
    /// A network whose links are encrypted or declared trusted: plain text may carry a token.
    Trusted,
    /// Anywhere else.
    Elsewhere,
}

impl Distance {
    /// An IPv4-mapped IPv6 address counts as the IPv4 address it stands for.
    pub(super) fn of(peer: IpAddr, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if peer.is_loopback() {
            Self::Loopback
        } else if openclaw_runtime::identity::is_tailnet(peer)
            || trusted.iter().any(|network| network.contains(&peer))
        {
            Self::Trusted
        } else {
            Self::Elsewhere
        }
    }
}
