//! Where a coordinator is: what people write, checked, with the mistakes that are easy to make named.

use std::fmt;
use std::net::IpAddr;

use crate::failure::Failure;

/// The port when none is written.
pub const DEFAULT_PORT: u16 = 8888;

/// A coordinator's host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, IPv6 without brackets.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
}

impl Address {
    /// The coordinator of this machine.
    pub fn local() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: DEFAULT_PORT,
        }
    }

    /// Reads `host`, `host:port`, `http://host:port`, `[v6]:port`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let rest = match text.split_once("://") {
            None => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, rest)) => {
                return Err(wrong_scheme(&scheme.to_ascii_lowercase(), text, rest));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let bad = |why: &str| {
            Failure::new(
                crate::exit::Exit::Usage,
                "BAD_ADDRESS",
                format!("`{text}` is no coordinator address: {why}"),
            )
            .hint("write it as host:port, for example 127.0.0.1:8888 or mac.tail1234.ts.net:8888")
        };
        if let Some(sign) = rest
            .chars()
            .find(|c| matches!(c, '/' | '?' | '#' | '@') || c.is_whitespace())
        {
            return Err(bad(&format!("`{sign}` has no place in it")));
        }
        let (host, port) = split_port(rest).map_err(bad)?;
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| bad("the port must be 1 to 65535"))?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it means this machine, without asking a resolver.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether two addresses are written for the same place.
    pub fn same_as(&self, other: &Self) -> bool {
        let same_host = self.host.eq_ignore_ascii_case(&other.host)
            || (self.is_loopback() && other.is_loopback());
        same_host && self.port == other.port
    }

    /// The URI for a gRPC channel.
    pub fn uri(&self) -> String {
        format!("http://{self}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

fn split_port(rest: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(inner) = rest.strip_prefix('[') {
        let (host, after) = inner
            .split_once(']')
            .ok_or("the closing bracket is missing")?;
        return match after {
            "" => Ok((host, None)),
            _ => after
                .strip_prefix(':')
                .map(|port| (host, Some(port)))
                .ok_or("a colon must follow the bracket"),
        };
    }
    match rest.split_once(':') {
        None => Ok((rest, None)),
        // More than one colon without brackets: an IPv6 address on its own.
        Some(_) if rest.parse::<std::net::Ipv6Addr>().is_ok() => Ok((rest, None)),
        Some((_, port)) if port.contains(':') => Err("an IPv6 address with a port needs brackets"),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn wrong_scheme(scheme: &str, text: &str, rest: &str) -> Failure {
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let (why, hint) = match scheme {
        "https" => (
            "this release of the coordinator speaks plain HTTP/2, not TLS".to_owned(),
            format!(
                "use http://{} or leave the scheme out",
                rest.trim_end_matches('/')
            ),
        ),
        "nats" | "tls" => (
            "that is the address of a NATS server, not of the coordinator".to_owned(),
            format!("name the coordinator's own port, for example {host}:{DEFAULT_PORT}"),
        ),
        "ws" | "wss" => (
            "the coordinator has no WebSocket address (18789 is OpenClaw's Gateway)".to_owned(),
            format!("name the coordinator's own port, for example {host}:{DEFAULT_PORT}"),
        ),
        _ => (
            format!("the scheme {scheme}:// is not one the coordinator speaks"),
            format!("use http://{rest} or leave the scheme out"),
        ),
    };
    Failure::new(
        crate::exit::Exit::Usage,
        "WRONG_SCHEME",
        format!("`{text}` cannot be the coordinator's address: {why}"),
    )
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Address::parse(text).unwrap().to_string()
    }

    #[test]
    fn the_usual_spellings_are_understood() {
        assert_eq!(parsed("mac"), "mac:8888");
        assert_eq!(parsed(" mac.ts.net:9000 "), "mac.ts.net:9000");
        assert_eq!(parsed("http://127.0.0.1:8888/"), "127.0.0.1:8888");
        assert_eq!(parsed("HTTP://mac"), "mac:8888");
        assert_eq!(parsed("[::1]:9000"), "[::1]:9000");
        assert_eq!(parsed("::1"), "[::1]:8888");
        assert_eq!(parsed("[fd7a::1]"), "[fd7a::1]:8888");
    }

    #[test]
    fn a_wrong_scheme_is_answered_with_the_right_address() {
        let tls = Address::parse("https://mac:8888").unwrap_err();
        assert_eq!(tls.code, "WRONG_SCHEME");
        assert!(tls.hint.unwrap().contains("http://mac:8888"));
        let nats = Address::parse("nats://100.1.2.3:4222").unwrap_err();
        assert!(nats.message.contains("NATS"), "{nats}");
        assert!(nats.hint.unwrap().contains("100.1.2.3:8888"));
        assert!(
            Address::parse("ftp://mac")
                .unwrap_err()
                .message
                .contains("ftp://")
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for bad in [
            "",
            "mac:0",
            "mac:99999",
            "mac:x",
            "mac/path",
            "u@mac",
            "fd7a::1:x",
            "[::1",
            "[::1]9",
            ":8888",
        ] {
            let failure = Address::parse(bad).unwrap_err();
            assert_eq!(failure.code, "BAD_ADDRESS", "{bad}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        let local = Address::local();
        for alias in ["localhost", "127.0.0.1", "[::1]:8888", "LOCALHOST:8888"] {
            assert!(Address::parse(alias).unwrap().same_as(&local), "{alias}");
        }
        assert!(!Address::parse("localhost:9").unwrap().same_as(&local));
        assert!(!Address::parse("mac").unwrap().same_as(&local));
    }
}
