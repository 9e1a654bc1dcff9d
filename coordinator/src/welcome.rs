//! What a person reads when the coordinator has started.

use std::fmt::Write as _;
use std::net::SocketAddr;

use openclaw_runtime::identity::{hostname, outbound_address, tailscale_address};

use crate::run::Started;

/// The port that workers dial unless told otherwise.
const DEFAULT_PORT: &str = "8888";

/// Where the coordinator is; after the very first start also how other machines join.
pub fn text(started: &Started, cluster: &str) -> String {
    let here = started
        .local_names
        .first()
        .map_or("this machine", String::as_str);
    let mut text = format!(
        "cluster \"{cluster}\"  http://{here}  data {}",
        started.folder.display()
    );
    if started.first_start {
        // Writing into a string cannot fail.
        let _ = write!(text, "\n\n{}", joining(&started.addresses, here));
    }
    text
}

fn joining(addresses: &[SocketAddr], here: &str) -> String {
    let (host, port) = here.rsplit_once(':').unwrap_or((here, DEFAULT_PORT));
    let port = if port == DEFAULT_PORT {
        String::new()
    } else {
        format!(" --coordinator-port {port}")
    };
    let worker_here =
        format!("A worker on this machine:  openclaw-worker --coordinator-host {host}{port}");
    match from_elsewhere(addresses) {
        Some(address) => format!(
            "{worker_here}\nOn another machine:        openclaw-worker join {address} TOKEN\n\
             The token:                 openclaw-cluster token show   (only on this machine, keep it to yourself)"
        ),
        None => format!(
            "{worker_here}\nOther machines cannot join: the coordinator listens on {} ({here}) only; start it with \
             --host tailscale or --host 0.0.0.0",
            hostname()
        ),
    }
}

/// The best address for other machines: that on the tailnet, else that on the local network.
fn from_elsewhere(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let reachable = addresses
        .iter()
        .find(|address| !address.ip().is_loopback())?;
    if !reachable.ip().is_unspecified() {
        return Some(*reachable);
    }
    let ip = tailscale_address().or_else(|| outbound_address(None))?;
    Some(SocketAddr::new(ip, reachable.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_on_loopback_says_that_others_cannot_join() {
        let text = joining(&["127.0.0.1:8888".parse().unwrap()], "127.0.0.1:8888");
        assert!(text.contains("--host tailscale"), "{text}");
    }

    #[test]
    fn others_are_told_an_address_that_they_can_reach() {
        let text = joining(&["192.168.1.5:9000".parse().unwrap()], "192.168.1.5:9000");
        assert!(
            text.contains("openclaw-worker join 192.168.1.5:9000 TOKEN"),
            "{text}"
        );
        assert!(
            text.contains("--coordinator-host 192.168.1.5 --coordinator-port 9000"),
            "{text}"
        );
    }
}
