//! Addresses of coordinators, as people write them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Where a coordinator can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Host name or IP address, in lower case, IPv6 without brackets.
    pub host: String,
    /// Port, at least 1.
    pub port: u16,
}

/// Why a text is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the address of a coordinator: {reason}; write host, host:port or http://host:port"
)]
pub struct AddressError {
    text: String,
    reason: String,
}

impl Address {
    /// Reads `host`, `host:port`, `http://host:port`, IPv6 with or without brackets; `default_port` stands in for a
    /// missing port.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let refused = |reason: String| AddressError {
            text: text.chars().take(200).collect(),
            reason,
        };
        let rest = without_scheme(text.trim()).map_err(refused)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split(rest).map_err(|reason| refused(reason.to_owned()))?;
        let port = match port {
            None => default_port,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => {
                    return Err(refused(format!(
                        "port `{digits}` does not lie in 1 to 65535"
                    )));
                }
            },
        };
        let host = host.to_ascii_lowercase();
        if is_wildcard(&host) {
            return Err(refused(
                "it means every address of a machine, to listen on, and none to dial".to_owned(),
            ));
        }
        if !is_host(&host) {
            return Err(refused(format!("`{host}` is no host name or IP address")));
        }
        Ok(Self { host, port })
    }

    /// As a URL: `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{self}")
    }

    /// Whether it names this machine itself.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// [`Address::parse`] with the port of every cluster, 8888.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, 8888)
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

/// Whether a host to listen on means every address.
pub(crate) fn is_wildcard(host: &str) -> bool {
    host == "*" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

/// Whether a text can be a host name or an IP address without brackets.
pub(crate) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let inside = label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        inside && !label.is_empty() && !label.starts_with('-') && label.len() <= 63
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && name.split('.').all(label))
}

fn without_scheme(text: &str) -> Result<&str, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(text);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok(rest),
        "https" => Err("the scheme https:// asks for TLS, which coordinators do not speak here: reach it over Tailscale or loopback with http://".to_owned()),
        "nats" | "tls" => Err(format!("the scheme {scheme}:// is that of a NATS server, not of a coordinator")),
        _ => Err(format!("the scheme {scheme}:// is unknown")),
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port`, `v6`.
fn split(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if text.is_empty() {
        return Err("it names no host");
    }
    if text.contains(['/', '?', '#', '@']) {
        return Err("it has more than host and port");
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once(']').ok_or("a bracket is not closed")?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("there is no IPv6 address in the brackets");
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("something other than a port follows the brackets"),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    Ok(text
        .rsplit_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_address_is_understood() {
        let spellings = [
            ("mac", "mac:8888"),
            ("MAC.tail1234.ts.net", "mac.tail1234.ts.net:8888"),
            ("mac:9000", "mac:9000"),
            ("http://mac:9000/", "mac:9000"),
            ("http://mac", "mac:8888"),
            (" 100.64.0.7:80 ", "100.64.0.7:80"),
            ("::1", "[::1]:8888"),
            ("[fd7a:115c:a1e0::1]:9000", "[fd7a:115c:a1e0::1]:9000"),
            ("http://[::1]", "[::1]:8888"),
        ];
        for (written, meant) in spellings {
            assert_eq!(
                Address::parse(written, 8888).unwrap().to_string(),
                meant,
                "{written}"
            );
        }
    }

    #[test]
    fn a_wrong_scheme_is_named_with_the_reason() {
        for (written, reason) in [
            ("nats://mac:4222", "nats:// is that of a NATS server"),
            ("https://mac:8888", "https:// asks for TLS"),
            ("ftp://mac", "ftp:// is unknown"),
        ] {
            let error = Address::parse(written, 8888).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(written), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        let wrong = [
            "",
            "http://",
            "mac:0",
            "mac:99999",
            "mac:http",
            "a b",
            "mac/path",
            "user@mac",
            "[::1",
            "[mac]:1",
            "[::1]x",
            "0.0.0.0",
            "[::]:8888",
            "100.64.0.1:2:3",
            "-mac",
            "mac..local",
        ];
        for written in wrong {
            assert!(Address::parse(written, 8888).is_err(), "{written}");
        }
    }

    #[test]
    fn loopback_has_three_names() {
        for written in ["localhost", "127.0.0.1", "[::1]:9"] {
            assert!(
                written.parse::<Address>().unwrap().is_loopback(),
                "{written}"
            );
        }
        assert!(!"mac".parse::<Address>().unwrap().is_loopback());
    }
}
