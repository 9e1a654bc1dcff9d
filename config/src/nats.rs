//! The host in `communication.nats_url`: in the old guide that is how the other machines knew the first one.

use crate::address::is_host;
use crate::settings::Settings;

impl Settings {
    /// The host of the first NATS server, when one is named that is no placeholder such as `100.x.x.x`.
    pub fn nats_host(&self) -> Option<String> {
        self.nats_hosts()?.into_iter().next()
    }

    /// `communication.nats_url` without placeholders; `None` when nothing is left. What the bridge connects to.
    pub fn nats_urls(&self) -> Option<Vec<String>> {
        let given = self.communication.nats_url.as_ref()?.expose();
        let real: Vec<String> = servers(given)
            .filter(|url| !is_placeholder(host_of(url)))
            .map(str::to_owned)
            .collect();
        (!real.is_empty()).then_some(real)
    }

    /// The first host in `communication.nats_url` that its reader was to fill in and has not. Ignored, and worth a word.
    pub fn nats_placeholder(&self) -> Option<&str> {
        let given = self.communication.nats_url.as_ref()?.expose();
        servers(given)
            .map(host_of)
            .find(|host| is_placeholder(host))
    }

    fn nats_hosts(&self) -> Option<Vec<String>> {
        let urls = self.nats_urls()?;
        Some(
            urls.iter()
                .map(|url| host_of(url).to_ascii_lowercase())
                .filter(|host| is_host(host))
                .collect(),
        )
    }
}

/// What is wrong with a NATS address, if anything. Placeholders are nothing wrong.
pub(crate) fn complaint(text: &str) -> Option<&'static str> {
    servers(text)
        .filter(|url| !is_placeholder(host_of(url)))
        .find_map(|url| match url.split_once("://") {
            Some((scheme, _)) if !matches!(scheme, "nats" | "tls" | "ws" | "wss") => {
                Some("must begin with nats:// or tls:// (or ws://, wss://)")
            }
            _ if !is_host(&host_of(url).to_ascii_lowercase()) => {
                Some("must name a host, as in nats://100.64.0.7:4222")
            }
            _ => None,
        })
}

fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// The host part of `scheme://user:password@host:port/`, IPv6 without brackets.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    if let Some(inside) = place.strip_prefix('[') {
        return inside.split(']').next().unwrap_or_default();
    }
    place.rsplit_once(':').map_or(place, |(host, _)| host)
}

/// Whether a host is one that a guide leaves for its reader to fill in: `100.x.x.x`, `<address>`, `your-server`.
fn is_placeholder(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let blank = |label: &str| !label.is_empty() && label.chars().all(|c| c == 'x');
    host.is_empty()
        || host.split('.').any(blank)
        || host.contains(['<', '>', '{', '}', '$'])
        || host.starts_with("your-")
        || host.starts_with("your_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Secret;

    fn host(url: &str) -> Option<String> {
        let mut settings = Settings::default();
        settings.communication.nats_url = Some(Secret::new(url));
        settings.nats_host()
    }

    #[test]
    fn the_host_is_found_in_every_form_of_the_address() {
        let forms = [
            ("nats://100.64.0.7:4222", "100.64.0.7"),
            ("nats://Mac", "mac"),
            ("mac:4222", "mac"),
            ("tls://user:p@ss@mac.example.org:4222/", "mac.example.org"),
            ("nats://[fd7a:115c:a1e0::1]:4222", "fd7a:115c:a1e0::1"),
            ("nats://100.x.x.x:4222, nats://pc:4222", "pc"),
        ];
        for (url, expected) in forms {
            assert_eq!(host(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn a_placeholder_is_ignored_and_nothing_to_complain_of() {
        for url in [
            "nats://100.x.x.x:4222",
            "nats://100.X.X.X:4222",
            "nats://<ip>:4222",
            "nats://your-server:4222",
            "",
        ] {
            assert_eq!(host(url), None, "{url}");
            assert_eq!(complaint(url), None, "{url}");
        }
        assert_eq!(Settings::default().nats_host(), None);
    }

    #[test]
    fn what_was_not_filled_in_is_named() {
        let mut settings = Settings::default();
        assert_eq!(settings.nats_placeholder(), None);
        let mut named = |url: &str| {
            settings.communication.nats_url = Some(Secret::new(url));
            settings.nats_placeholder().map(str::to_owned)
        };
        assert_eq!(
            named("nats://me:secret@100.x.x.x:4222").as_deref(),
            Some("100.x.x.x")
        );
        assert_eq!(named("nats://100.64.0.7:4222"), None);
    }

    #[test]
    fn names_that_merely_hold_an_x_are_real() {
        for name in ["max", "x1", "linux.local", "xbox"] {
            assert_eq!(host(&format!("nats://{name}:4222")).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_cannot_be_a_server_is_complained_of() {
        assert!(complaint("http://mac:4222").unwrap().contains("nats://"));
        assert!(complaint("nats://a b:4222").unwrap().contains("host"));
        assert_eq!(complaint("nats://mac:4222,tls://pc"), None);
    }
}
