//! Where the token for a coordinator comes from.
//!
//! Looked up at every dial, once a coordinator answers: a token that was replaced, or a coordinator that was started
//! later, needs no restart of the worker.

use std::io;
use std::path::PathBuf;

use openclaw_config::{Address, Secret};
use openclaw_runtime::fsx;
use openclaw_runtime::profiles::{ProfilesError, ProfilesFile};

/// Variable that carries the token.
pub const TOKEN_VARIABLE: &str = "OPENCLAW_CLUSTER_TOKEN";

/// Largest token file in bytes.
const FILE_BYTES: u64 = 16 * 1024;

/// The places where a token may be, in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// `--token-file`.
    pub file: Option<PathBuf>,
    /// The value of [`TOKEN_VARIABLE`].
    pub variable: Option<Secret>,
    /// Where the coordinator of this very machine keeps its token.
    pub coordinator_file: Option<PathBuf>,
    /// The user's profiles.
    pub profiles: Option<ProfilesFile>,
}

/// A token and where it was found, for messages.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub secret: Secret,
    /// Where it was found.
    pub from: String,
}

/// Why a token that was named cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the token in {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is nothing in it that can be sent.
    #[error("{from} holds no token: expected one line of printable characters")]
    Form {
        /// Where it was found.
        from: String,
    },
    /// The profiles cannot be used.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
}

impl Tokens {
    /// The token for the coordinator at `address`; `here` says that it runs on this machine. `None` when no place has
    /// one. Reads small files.
    pub fn find(&self, address: &Address, here: bool) -> Result<Option<Token>, TokenError> {
        if let Some(path) = &self.file {
            return read(path).map(Some);
        }
        if let Some(secret) = self
            .variable
            .as_ref()
            .filter(|secret| !secret.expose().trim().is_empty())
        {
            return checked(secret.expose(), TOKEN_VARIABLE.to_owned()).map(Some);
        }
        if let Some(path) = self
            .coordinator_file
            .as_ref()
            .filter(|path| here && path.exists())
        {
            return read(path).map(Some);
        }
        let Some(file) = &self.profiles else {
            return Ok(None);
        };
        let profiles = file.load()?;
        let Some(profile) = profiles.lookup(&address.to_string()) else {
            return Ok(None);
        };
        checked(
            &profile.token,
            format!("profiles file {}", file.path().display()),
        )
        .map(Some)
    }
}

fn read(path: &std::path::Path) -> Result<Token, TokenError> {
    let failed = |source| TokenError::File {
        path: path.to_owned(),
        source,
    };
    let bytes = fsx::read_bounded(path, FILE_BYTES).map_err(failed)?;
    checked(&String::from_utf8_lossy(&bytes), path.display().to_string())
}

fn checked(text: &str, from: String) -> Result<Token, TokenError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Form { from });
    }
    Ok(Token {
        secret: Secret::new(text),
        from,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use openclaw_config::{Address, Secret};
    use openclaw_runtime::profiles::{Profile, ProfilesFile};

    use super::Tokens;

    fn found(tokens: &Tokens, address: &str, here: bool) -> Option<String> {
        let address: Address = address.parse().unwrap();
        tokens
            .find(&address, here)
            .unwrap()
            .map(|token| token.secret.expose().to_owned())
    }

    #[test]
    fn places_are_asked_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (flag, own) = (dir.path().join("flag"), dir.path().join("token"));
        fs::write(&flag, "from-flag\n").unwrap();
        fs::write(&own, "from-coordinator\n").unwrap();
        let profiles = ProfilesFile::at(dir.path().join("profiles.json"));
        profiles
            .upsert("mac:8888", Profile::new("from-profile"))
            .unwrap();
        let mut tokens = Tokens {
            file: Some(flag),
            variable: Some(Secret::new("from-variable")),
            coordinator_file: Some(own),
            profiles: Some(profiles),
        };
        assert_eq!(found(&tokens, "mac", true).as_deref(), Some("from-flag"));
        tokens.file = None;
        assert_eq!(
            found(&tokens, "mac", true).as_deref(),
            Some("from-variable")
        );
        tokens.variable = Some(Secret::new(" "));
        assert_eq!(
            found(&tokens, "localhost", true).as_deref(),
            Some("from-coordinator")
        );
        assert_eq!(
            found(&tokens, "mac", false).as_deref(),
            Some("from-profile"),
            "it is another machine's"
        );
        assert_eq!(found(&tokens, "pc", false), None);
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for content in ["", "two words", "ümlaut"] {
            fs::write(&path, content).unwrap();
            let tokens = Tokens {
                file: Some(path.clone()),
                ..Tokens::default()
            };
            let error = tokens
                .find(&"mac".parse().unwrap(), false)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("holds no token") && error.contains("token"),
                "{error}"
            );
        }
        fs::remove_file(&path).unwrap();
        let tokens = Tokens {
            file: Some(path),
            ..Tokens::default()
        };
        assert!(
            tokens
                .find(&"mac".parse().unwrap(), false)
                .unwrap_err()
                .to_string()
                .contains("cannot read")
        );
    }
}
