//! The process's environment as far as the command line reads it, taken once so that tests can give another.

use std::ffi::OsString;
use std::path::PathBuf;

use openclaw_runtime::profiles::{PROFILES_VARIABLE, Profiles, ProfilesFile};

use super::settings::ConfigFacts;
use crate::args::Global;
use crate::failure::Failure;

/// Names the coordinator.
pub(super) const ADDR_VARIABLE: &str = "OPENCLAW_CLUSTER_ADDR";
/// Holds the token.
pub(super) const TOKEN_VARIABLE: &str = "OPENCLAW_CLUSTER_TOKEN";

/// What surrounds the command: variables and files.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The value of `OPENCLAW_CLUSTER_ADDR`, when not empty.
    pub addr: Option<String>,
    /// The value of `OPENCLAW_CLUSTER_TOKEN`, when not empty.
    pub token: Option<String>,
    /// The value of [`PROFILES_VARIABLE`].
    pub profiles: Option<PathBuf>,
}

impl Surroundings {
    /// Reads the variables through `env`.
    pub fn read(env: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| {
            let value: Option<String> = env(name).and_then(|value| value.into_string().ok());
            value
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        Self {
            addr: text(ADDR_VARIABLE),
            token: text(TOKEN_VARIABLE),
            profiles: env(PROFILES_VARIABLE).map(PathBuf::from),
        }
    }

    /// The user's profiles file; it need not exist.
    pub fn profiles_file(&self) -> Result<ProfilesFile, Failure> {
        ProfilesFile::locate(self.profiles.clone())
            .map_err(|error| Failure::local("PROFILES", error.to_string()))
    }

    /// What the profiles file says; nothing when there is no such file.
    pub fn load_profiles(&self) -> Result<Profiles, Failure> {
        match self.profiles_file() {
            Ok(file) => file
                .load()
                .map_err(|error| Failure::local("PROFILES", error.to_string())),
            // Without a home there are no profiles; other ways to name a coordinator remain.
            Err(_) => Ok(Profiles::default()),
        }
    }

    /// The settings named by `-c` or found in the current directory.
    pub fn config(&self, global: &Global) -> Result<ConfigFacts, Failure> {
        ConfigFacts::load(global.config.as_deref())
    }
}
