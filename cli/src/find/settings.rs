//! What the command line wants to know from the settings.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use openclaw_config::{Loader, Overrides};

use super::address::Chosen;
use crate::address::Address;
use crate::failure::Failure;

/// The settings that matter here, from a file or from the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFacts {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// Where the coordinator of these settings is reached from this machine.
    pub address: Address,
    /// Where it keeps its token.
    pub token_file: PathBuf,
}

impl ConfigFacts {
    /// Loads the settings: from `named`, else from the file found in the current directory, else the defaults.
    pub fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let loaded = Loader::of_process(named.map(Path::to_path_buf), Overrides::new())
            .and_then(|loader| loader.load())
            .map_err(|error| {
                let failure = Failure {
                    code: "CONFIG".to_owned(),
                    ..Failure::usage(error.to_string())
                };
                failure.hint("correct it, or name the coordinator with --addr")
            })?;
        let settings = loaded.settings;
        Ok(Self {
            file: loaded.file,
            address: reachable(&settings.coordinator.host, settings.coordinator.port),
            token_file: settings.coordinator_dir().join("token"),
        })
    }

    pub(super) fn chosen(&self) -> Chosen {
        let by = self.file.as_ref().map_or_else(
            || "the default".to_owned(),
            |file| format!("from {}", file.display()),
        );
        Chosen {
            address: self.address.clone(),
            by,
        }
    }
}

/// An address to listen on is not always one to connect to.
pub(super) fn reachable(host: &str, port: u16) -> Address {
    let wildcard = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    // `tailscale` means loopback and the tailnet address.
    if wildcard || host == "tailscale" || host.is_empty() {
        Address {
            port,
            ..Address::local()
        }
    } else {
        Address {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        }
    }
}
