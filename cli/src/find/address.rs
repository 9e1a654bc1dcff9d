//! Which coordinator is meant.

use openclaw_runtime::profiles::Profiles;

use super::settings::ConfigFacts;
use super::surroundings::{ADDR_VARIABLE, Surroundings};
use crate::address::Address;
use crate::args::Global;
use crate::failure::Failure;

/// An address and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Where to connect to.
    pub address: Address,
    /// For messages: "given with --addr", "the default".
    pub by: String,
}

/// The coordinator that is meant: `--addr`, the environment, a file named by `-c`, the default profile, the
/// configuration found here, this machine.
pub fn coordinator(global: &Global, around: &Surroundings) -> Result<Chosen, Failure> {
    if let Some(text) = &global.addr {
        return Ok(Chosen {
            address: Address::parse(text)?,
            by: "given with --addr".to_owned(),
        });
    }
    if let Some(text) = &around.addr {
        return Ok(Chosen {
            address: Address::parse(text)?,
            by: format!("from {ADDR_VARIABLE}"),
        });
    }
    let config = around.config(global)?;
    if global.config.is_some() {
        return Ok(config.chosen());
    }
    choose(&around.load_profiles()?, &config)
}

/// Between the default profile and a configuration found by chance. The profile wins: it says where this machine
/// has joined. But of two coordinators on this machine, the one whose configuration lies here is meant.
pub(super) fn choose(profiles: &Profiles, config: &ConfigFacts) -> Result<Chosen, Failure> {
    let Some((text, _)) = profiles.default_profile() else {
        return Ok(config.chosen());
    };
    let address = Address::parse(text)?;
    if address.is_loopback() && config.file.is_some() && config.address.is_loopback() {
        return Ok(config.chosen());
    }
    Ok(Chosen {
        address,
        by: "the default of the profiles file".to_owned(),
    })
}
