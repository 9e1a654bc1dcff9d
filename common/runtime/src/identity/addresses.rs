//! The machine's addresses, and which of them other machines of the tailnet can use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use sysinfo::Networks;

/// An address set aside for documentation: nothing is there, and connecting a UDP socket sends nothing. It only
/// makes the system choose the route it would take.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// The own address that packets towards `peer` (by default: the world) leave from; without such a route, the first
/// address of an interface that is no loopback.
pub fn outbound_address(peer: Option<SocketAddr>) -> Option<IpAddr> {
    let routed = peer
        .and_then(source_towards)
        .or_else(|| source_towards(NOWHERE));
    routed.or_else(|| {
        interface_addresses()
            .into_iter()
            .find(|address| !address.is_loopback() && !is_link_local(*address))
    })
}

/// The machine's address in its tailnet: the first interface address in 100.64.0.0/10, else in `fd7a:115c:a1e0::/48`.
pub fn tailscale_address() -> Option<IpAddr> {
    first_of_tailnet(&interface_addresses())
}

/// Whether an address lies in the ranges that Tailscale gives to machines (100.64.0.0/10, `fd7a:115c:a1e0::/48`),
/// also when written as an IPv4-mapped IPv6 address.
pub fn is_tailnet(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            first == 100 && (64..128).contains(&second)
        }
        IpAddr::V6(v6) => matches!(v6.segments(), [0xfd7a, 0x115c, 0xa1e0, ..]),
    }
}

/// The addresses of all interfaces, IPv4 before IPv6, in order. Empty where the system doesn't tell.
pub fn interface_addresses() -> Vec<IpAddr> {
    let Ok(networks) = Networks::new_with_refreshed_list() else {
        return Vec::new();
    };
    let mut all: Vec<IpAddr> = networks
        .values()
        .flat_map(sysinfo::NetworkData::ip_networks)
        .map(|network| network.addr)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn first_of_tailnet(addresses: &[IpAddr]) -> Option<IpAddr> {
    let mut tailnet = addresses
        .iter()
        .copied()
        .filter(|address| is_tailnet(*address));
    // The list is sorted, IPv4 first.
    tailnet.next()
}

fn source_towards(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_tailnet_is_its_two_ranges_and_nothing_beside_them() {
        for inside in [
            "100.64.0.0",
            "100.101.102.103",
            "100.127.255.255",
            "fd7a:115c:a1e0::1",
            "::ffff:100.64.1.1",
        ] {
            assert!(is_tailnet(ip(inside)), "{inside}");
        }
        for outside in [
            "100.63.255.255",
            "100.128.0.0",
            "127.0.0.1",
            "10.0.0.1",
            "fd7a:115c:a1e1::1",
            "fe80::1",
        ] {
            assert!(!is_tailnet(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn the_ipv4_address_of_the_tailnet_is_preferred() {
        let both = [ip("10.0.0.1"), ip("100.64.0.7"), ip("fd7a:115c:a1e0::7")];
        assert_eq!(first_of_tailnet(&both), Some(ip("100.64.0.7")));
        assert_eq!(first_of_tailnet(&both[2..]), Some(ip("fd7a:115c:a1e0::7")));
        assert_eq!(first_of_tailnet(&both[..1]), None);
    }

    #[test]
    fn towards_this_machine_packets_leave_from_loopback() {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 8888));
        assert_eq!(outbound_address(Some(peer)), Some(ip("127.0.0.1")));
    }

    #[test]
    fn the_interfaces_are_listed_once_each() {
        let addresses = interface_addresses();
        let mut once = addresses.clone();
        once.dedup();
        assert_eq!(addresses, once);
    }
}
