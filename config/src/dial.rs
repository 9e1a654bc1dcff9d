//! Where a worker or the command line looks for the coordinator, and in which order.

use std::fmt;

use crate::address::{Address, AddressError, is_wildcard};
use crate::settings::Settings;

/// What is known beside the settings. All absent by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DialInputs<'a> {
    /// `--coordinator-host`; may carry a port.
    pub flag_host: Option<&'a str>,
    /// `--coordinator-port`: the port of every candidate that names none.
    pub flag_port: Option<u16>,
    /// `OPENCLAW_CLUSTER_ADDR`, which stands in the place of `joined`.
    pub variable: Option<&'a str>,
    /// The address stored when this machine joined.
    pub joined: Option<&'a str>,
}

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub address: Address,
    /// Why it is tried.
    pub why: Why,
}

/// What made an address a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `--coordinator-host`.
    Flag,
    /// `worker.coordinator`.
    Setting,
    /// `OPENCLAW_CLUSTER_ADDR`.
    Variable,
    /// Stored at `openclaw-worker join`.
    Joined,
    /// `coordinator.host`.
    CoordinatorHost,
    /// The host of `communication.nats_url`.
    NatsHost,
    /// This machine, the last resort.
    Loopback,
}

/// A candidate that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}: {source}")]
pub struct DialError {
    /// Who named it.
    pub why: Why,
    /// What is wrong with it.
    pub source: AddressError,
}

/// All addresses worth trying, best first, each once, each with its reason; never empty.
pub fn dial_order(
    settings: &Settings,
    inputs: &DialInputs<'_>,
) -> Result<Vec<Candidate>, DialError> {
    let port = inputs.flag_port.unwrap_or(settings.coordinator.port);
    let mut order = Order {
        port,
        candidates: Vec::new(),
    };
    if let Some(host) = inputs.flag_host {
        order.add_flag(host, inputs.flag_port)?;
    }
    for text in &settings.worker.coordinator {
        order.add(text, Why::Setting)?;
    }
    match (inputs.variable, inputs.joined) {
        (Some(text), _) => order.add(text, Why::Variable)?,
        (None, Some(text)) => order.add(text, Why::Joined)?,
        (None, None) => {}
    }
    let host = settings.coordinator.host.as_str();
    if !is_wildcard(host) && host != "tailscale" {
        order.add(host, Why::CoordinatorHost)?;
    }
    if let Some(host) = settings.nats_host() {
        order.add(&host, Why::NatsHost)?;
    }
    order.add("127.0.0.1", Why::Loopback)?;
    Ok(order.candidates)
}

struct Order {
    port: u16,
    candidates: Vec<Candidate>,
}

impl Order {
    fn add(&mut self, text: &str, why: Why) -> Result<(), DialError> {
        let address =
            Address::parse(text, self.port).map_err(|source| DialError { why, source })?;
        self.push(address, why);
        Ok(())
    }

    /// The flags as one address: `--coordinator-port` wins over a port inside `--coordinator-host`.
    fn add_flag(&mut self, host: &str, port: Option<u16>) -> Result<(), DialError> {
        let mut address = Address::parse(host, self.port).map_err(|source| DialError {
            why: Why::Flag,
            source,
        })?;
        address.port = port.unwrap_or(address.port);
        self.push(address, Why::Flag);
        Ok(())
    }

    fn push(&mut self, address: Address, why: Why) {
        if self.candidates.iter().all(|known| known.address != address) {
            self.candidates.push(Candidate { address, why });
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Flag => "--coordinator-host",
            Self::Setting => "worker.coordinator",
            Self::Variable => "OPENCLAW_CLUSTER_ADDR",
            Self::Joined => "stored when this machine joined",
            Self::CoordinatorHost => "coordinator.host",
            Self::NatsHost => "host of communication.nats_url",
            Self::Loopback => "this machine",
        })
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.address, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Secret;

    fn shown(settings: &Settings, inputs: &DialInputs<'_>) -> Vec<String> {
        dial_order(settings, inputs)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_sources_are_tried_in_the_promised_order() {
        let mut settings = Settings::default();
        settings.worker.coordinator = vec!["studio:9000".into(), "http://attic".into()];
        settings.coordinator.host = "100.64.0.1".into();
        settings.communication.nats_url = Some(Secret::new("nats://100.64.0.2:4222"));
        let inputs = DialInputs {
            flag_host: Some("mac"),
            joined: Some("pc:7000"),
            ..DialInputs::default()
        };
        let expected = [
            "mac:8888 (--coordinator-host)",
            "studio:9000 (worker.coordinator)",
            "attic:8888 (worker.coordinator)",
            "pc:7000 (stored when this machine joined)",
            "100.64.0.1:8888 (coordinator.host)",
            "100.64.0.2:8888 (host of communication.nats_url)",
            "127.0.0.1:8888 (this machine)",
        ];
        assert_eq!(shown(&settings, &inputs), expected);
    }

    #[test]
    fn wildcards_tailscale_and_placeholders_are_no_candidates() {
        for host in ["0.0.0.0", "::", "*", "tailscale"] {
            let mut settings = Settings::default();
            settings.coordinator.host = host.into();
            settings.communication.nats_url = Some(Secret::new("nats://100.x.x.x:4222"));
            assert_eq!(
                shown(&settings, &DialInputs::default()),
                ["127.0.0.1:8888 (this machine)"],
                "{host}"
            );
        }
    }

    #[test]
    fn an_address_is_tried_once_for_its_first_reason() {
        let mut settings = Settings::default();
        settings.coordinator.host = "127.0.0.1".into();
        settings.worker.coordinator = vec!["mac".into(), "MAC:8888".into()];
        let expected = [
            "mac:8888 (worker.coordinator)",
            "127.0.0.1:8888 (coordinator.host)",
        ];
        assert_eq!(shown(&settings, &DialInputs::default()), expected);
    }

    #[test]
    fn the_port_flag_is_for_every_address_without_a_port() {
        let mut settings = Settings::default();
        settings.worker.coordinator = vec!["studio:9000".into()];
        let inputs = DialInputs {
            flag_host: Some("mac:1"),
            flag_port: Some(7777),
            ..DialInputs::default()
        };
        let expected = [
            "mac:7777 (--coordinator-host)",
            "studio:9000 (worker.coordinator)",
            "127.0.0.1:7777 (this machine)",
        ];
        assert_eq!(shown(&settings, &inputs), expected);
    }

    #[test]
    fn the_variable_stands_in_the_place_of_joining() {
        let inputs = DialInputs {
            variable: Some("one"),
            joined: Some("two"),
            ..DialInputs::default()
        };
        let expected = [
            "one:8888 (OPENCLAW_CLUSTER_ADDR)",
            "127.0.0.1:8888 (this machine)",
        ];
        assert_eq!(shown(&Settings::default(), &inputs), expected);
    }

    #[test]
    fn a_wrong_scheme_is_an_error_that_names_it_and_its_source() {
        let inputs = DialInputs {
            flag_host: Some("nats://mac:4222"),
            ..DialInputs::default()
        };
        let error = dial_order(&Settings::default(), &inputs)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("--coordinator-host: `nats://mac:4222`"),
            "{error}"
        );
    }
}
