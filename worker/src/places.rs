//! Settings and places of one worker: what `run`, `join` and `leave` have in common.

use std::path::PathBuf;

use openclaw_common::id::check_node_id;
use openclaw_config::{Loaded, Loader, Overrides, Secret, Settings};
use openclaw_runtime::identity::hostname;
use openclaw_runtime::profiles::{PROFILES_VARIABLE, ProfilesFile};

use crate::token::{TOKEN_VARIABLE, Tokens};

/// Variable that names the coordinator in place of what was joined.
pub const ADDRESS_VARIABLE: &str = "OPENCLAW_CLUSTER_ADDR";

/// Longest node id taken from a host name.
const NAME_BYTES: usize = 63;
/// What a machine without a usable name is called.
const NAMELESS: &str = "worker";

/// One worker's settings and places.
#[derive(Debug, Clone)]
pub struct Places {
    /// The settings.
    pub settings: Settings,
    /// Its name, checked.
    pub node_id: String,
    /// A person chose the name.
    pub node_id_explicit: bool,
    /// Its data directory.
    pub data_dir: PathBuf,
}

impl Places {
    /// Loads the settings of this process. Errors name the file, the key and what to do.
    pub fn load(config: Option<PathBuf>, overrides: Overrides) -> anyhow::Result<Self> {
        let Loaded { settings, .. } = Loader::of_process(config, overrides)?.load()?;
        let (node_id, node_id_explicit) = match &settings.worker.node_id {
            Some(name) => (name.clone(), true),
            None => (name_of_host(&hostname()), false),
        };
        check_node_id(&node_id)?;
        let data_dir = settings.worker_dir(&node_id);
        Ok(Self {
            settings,
            node_id,
            node_id_explicit,
            data_dir,
        })
    }

    /// Where a token may be.
    pub fn tokens(&self, file: Option<PathBuf>) -> Tokens {
        Tokens {
            file,
            variable: variable(TOKEN_VARIABLE).map(Secret::new),
            coordinator_file: Some(self.settings.coordinator_dir().join("token")),
            profiles: profiles(),
        }
    }
}

/// A variable of this process, when it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// The user's profiles file; `None` for a user without a home.
pub fn profiles() -> Option<ProfilesFile> {
    ProfilesFile::locate(variable(PROFILES_VARIABLE).map(PathBuf::from)).ok()
}

/// The host's name as a node id: without its domain, with `-` for what an id cannot hold.
fn name_of_host(host: &str) -> String {
    let short = host.split('.').next().unwrap_or_default();
    let plain: String = short
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(NAME_BYTES)
        .collect();
    let trimmed = plain.trim_matches('-').to_owned();
    match check_node_id(&trimmed) {
        Ok(()) => trimmed,
        Err(_) => NAMELESS.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::name_of_host;

    #[test]
    fn every_host_name_becomes_a_node_id() {
        for (host, id) in [
            ("main-mac", "main-mac"),
            ("MacBook.local", "MacBook"),
            ("Ada's PC", "Ada-s-PC"),
            ("-x-", "x"),
            ("日本", "worker"),
            ("", "worker"),
            ("online", "worker"),
        ] {
            assert_eq!(name_of_host(host), id, "{host}");
        }
        assert_eq!(name_of_host(&"x".repeat(100)).len(), 63);
    }
}
