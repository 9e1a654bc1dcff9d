//! Which host names a request may be addressed to, and from which pages a browser may send one. This is what keeps a
//! web page from talking to the coordinator of whoever looks at it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::uri::{Authority, Uri};

/// The names this coordinator answers to, whatever the port.
#[derive(Debug, Clone)]
pub struct HostPolicy {
    names: BTreeSet<String>,
    tailnet_label: String,
}

/// Why a request is not for us. The texts name the setting that allows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// It names no host, several, or one that cannot be read.
    #[error("the request must name one host in `Host` or `:authority`")]
    Malformed,
    /// It is meant for another host.
    #[error(
        "this coordinator does not answer to the name `{0}`; if the name is right, add it to `security.allowed_hosts` \
         of the coordinator"
    )]
    Unknown(String),
    /// A page of another site sent it.
    #[error(
        "a page of `{0}` may not use this coordinator; open the coordinator's own address instead"
    )]
    CrossOrigin(String),
}

impl HostPolicy {
    /// Answers to `own` (see `openclaw_runtime::identity::own_names`), to `allowed` from the settings, and to names of
    /// MagicDNS that begin with `hostname`. All without port.
    pub fn new(own: BTreeSet<String>, hostname: &str, allowed: &[String]) -> Self {
        let mut names = own;
        names.extend(allowed.iter().map(|name| normal(bare_host(name.trim()))));
        Self {
            names,
            tailnet_label: tailnet_label(hostname),
        }
    }

    /// Checks where a request is addressed to, and from which page. `local` is the address that the client reached.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap, local: IpAddr) -> Result<(), HostRefusal> {
        let authority = authority_of(uri, headers)?;
        let host = strip_brackets(authority.host());
        if !self.answers_to(host, local) {
            return Err(HostRefusal::Unknown(shown(host)));
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) if same_origin(origin.as_bytes(), &authority) => Ok(()),
            (Some(origin), _) => Err(HostRefusal::CrossOrigin(shown(&String::from_utf8_lossy(
                origin.as_bytes(),
            )))),
        }
    }

    fn answers_to(&self, host: &str, local: IpAddr) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            // The address the client has reached is ours, also when the machine has got it after the start.
            return address == local.to_canonical()
                || address.is_loopback() && local.to_canonical().is_loopback()
                || self.names.contains(&address.to_string());
        }
        let name = normal(host);
        self.names.contains(&name) || self.is_own_tailnet_name(&name)
    }

    /// `mac.tail1234.ts.net`, or `mac-1.…` where the tailnet has two machines of the name.
    fn is_own_tailnet_name(&self, name: &str) -> bool {
        let Some(label) = name
            .strip_suffix(".ts.net")
            .and_then(|rest| rest.split('.').next())
        else {
            return false;
        };
        let Some(rest) = label.strip_prefix(self.tailnet_label.as_str()) else {
            return false;
        };
        let number = rest.strip_prefix('-').unwrap_or_default();
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        !self.tailnet_label.is_empty() && (rest.is_empty() || numbered)
    }
}

/// The one authority of a request. HTTP/2 has it in `:authority`; a `Host` beside it must not say otherwise.
fn authority_of(uri: &Uri, headers: &HeaderMap) -> Result<Authority, HostRefusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(value), None) => {
            let authority =
                Authority::try_from(value.as_bytes()).map_err(|_| HostRefusal::Malformed)?;
            Some(authority)
        }
        (Some(_), Some(_)) => return Err(HostRefusal::Malformed),
    };
    let authority = match (uri.authority(), header) {
        (Some(authority), Some(header)) if *authority != header => {
            return Err(HostRefusal::Malformed);
        }
        (Some(authority), _) => authority.clone(),
        (None, Some(header)) => header,
        (None, None) => return Err(HostRefusal::Malformed),
    };
    // `user@host` has no business here and confuses who reads it.
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    plain.then_some(authority).ok_or(HostRefusal::Malformed)
}

/// Whether `Origin` names the very host and port that the request is addressed to.
fn same_origin(origin: &[u8], authority: &Authority) -> bool {
    let Ok(origin) = Uri::try_from(origin) else {
        return false;
    };
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let Some(from) = origin.authority() else {
        return false;
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    normal(from.host()) == normal(authority.host()) && port(from) == port(authority)
}

/// A name from the settings without a port, should somebody have written one.
fn bare_host(name: &str) -> &str {
    let name = match name.rsplit_once(':') {
        Some((host, port))
            if !host.ends_with(':') && !port.is_empty() && name.parse::<IpAddr>().is_err() =>
        {
            host
        }
        _ => name,
    };
    strip_brackets(name)
}

fn strip_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

/// Lower case, without the dot that may end a full name.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A host name as Tailscale spells it: its first label in lower case, anything but letters and digits as `-`.
fn tailnet_label(hostname: &str) -> String {
    let first = hostname
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let label: String = first
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    label.trim_matches('-').to_owned()
}

/// What a stranger sent, short and printable.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
