//! Which token fits a coordinator. A token that was found is only ever sent to the coordinator it belongs to.

use std::io;
use std::path::Path;

use openclaw_runtime::fsx;

use super::surroundings::{Surroundings, TOKEN_VARIABLE};
use crate::address::Address;
use crate::args::Global;
use crate::client::FoundToken;
use crate::failure::Failure;

/// Longest token file in bytes.
const TOKEN_LIMIT: u64 = 4096;

/// The tokens that may fit the coordinator at `address`, likeliest first. One that was given (`--token-file`, the
/// environment) stands alone; else the token file of the configuration when that is of the same coordinator, then
/// the profile of the address.
pub fn tokens(
    global: &Global,
    around: &Surroundings,
    address: &Address,
) -> Result<Vec<FoundToken>, Failure> {
    if let Some(path) = &global.token_file {
        return Ok(vec![given_file(path)?]);
    }
    if let Some(token) = &around.token {
        return Ok(vec![FoundToken {
            token: token.clone(),
            source: TOKEN_VARIABLE.to_owned(),
        }]);
    }
    let mut found = Vec::new();
    // A configuration that is wrong must not keep a profile from working, unless it was named.
    match around.config(global) {
        Ok(config) if address.is_loopback() || address.same_as(&config.address) => {
            found.extend(read(&config.token_file).ok().flatten());
        }
        Err(failure) if global.config.is_some() => return Err(failure),
        _ => {}
    }
    if let Some(profile) = around.load_profiles()?.lookup(&address.to_string()) {
        let known = found.iter().any(|other| other.token == profile.token);
        if !known {
            found.push(FoundToken {
                token: profile.token.clone(),
                source: "the profiles file".to_owned(),
            });
        }
    }
    Ok(found)
}

fn given_file(path: &Path) -> Result<FoundToken, Failure> {
    let failed = |why: String| {
        Failure::usage(format!(
            "cannot take the token from {}: {why}",
            path.display()
        ))
    };
    match read(path) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(failed("the file is empty".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn read(path: &Path) -> io::Result<Option<FoundToken>> {
    let bytes = fsx::read_bounded(path, TOKEN_LIMIT)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(Some(text)
        .filter(|text| !text.is_empty())
        .map(|token| FoundToken {
            token,
            source: path.display().to_string(),
        }))
}
