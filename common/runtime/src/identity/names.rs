//! Every name and address under which a browser or a client on the network may mean this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::addresses::interface_addresses;
use super::facts::hostname;

/// The names and addresses of this machine in lower case, without port, IPv6 without brackets: `localhost`,
/// loopback, `<host>`, `<host>.local`, the full name when the system knows one, and every interface address.
///
/// Asks the resolver for the full name, which may take seconds on a machine with a broken one: call it once.
pub fn own_names() -> BTreeSet<String> {
    names_of(&hostname(), full_name().as_deref(), &interface_addresses())
}

fn names_of(host: &str, full: Option<&str>, addresses: &[IpAddr]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let host = host.to_ascii_lowercase();
    let short = host.split('.').next().unwrap_or_default();
    if !short.is_empty() {
        names.insert(short.to_owned());
        names.insert(format!("{short}.local"));
        names.insert(host.clone());
    }
    names.extend(full.map(str::to_ascii_lowercase));
    names.extend(addresses.iter().map(ToString::to_string));
    names
}

/// The host's name with its domain, where the system configuration gives one.
#[cfg(unix)]
fn full_name() -> Option<String> {
    use std::net::ToSocketAddrs;
    let uname = rustix::system::uname();
    let node = uname.nodename().to_str().ok()?.to_owned();
    if node.contains('.') {
        return Some(node);
    }
    let domain = domain_of(&std::fs::read_to_string("/etc/resolv.conf").ok()?)?;
    let full = format!("{node}.{domain}");
    // A search domain is only ours when the name under it is ours.
    let resolved = (full.as_str(), 0).to_socket_addrs().ok()?;
    let own = interface_addresses();
    resolved
        .into_iter()
        .any(|address| own.contains(&address.ip()))
        .then_some(full)
}

#[cfg(windows)]
fn full_name() -> Option<String> {
    let host = std::env::var("COMPUTERNAME").ok()?;
    let domain = std::env::var("USERDNSDOMAIN").ok()?;
    Some(format!("{host}.{domain}"))
}

/// The first domain that a resolver configuration searches.
#[cfg(unix)]
fn domain_of(resolver: &str) -> Option<String> {
    let mut words = resolver
        .lines()
        .map(str::split_whitespace)
        .filter_map(|mut line| match line.next()? {
            "domain" | "search" => line.next(),
            _ => None,
        });
    words
        .next()
        .map(|domain| domain.trim_end_matches('.').to_owned())
        .filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_answers_to_its_short_local_and_full_names_and_addresses() {
        let names = names_of(
            "Mac",
            Some("Mac.Example.org"),
            &["192.168.1.5".parse().unwrap()],
        );
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "mac",
            "mac.local",
            "mac.example.org",
            "192.168.1.5",
        ] {
            assert!(names.contains(name), "{name} in {names:?}");
        }
    }

    #[test]
    fn a_host_name_with_a_domain_gives_the_short_name_too() {
        let names = names_of("mac.home.lan", None, &[]);
        assert!(
            names.contains("mac") && names.contains("mac.local") && names.contains("mac.home.lan")
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_search_domain_is_the_first_one_named() {
        assert_eq!(
            domain_of("# x\nnameserver 1.1.1.1\nsearch home.lan other\n").as_deref(),
            Some("home.lan")
        );
        assert_eq!(domain_of("nameserver 1.1.1.1\nsearch .\n"), None);
    }
}
