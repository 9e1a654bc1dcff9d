//! What can be wrong with settings. Every text names the source, the value and what would be right.

use std::path::PathBuf;
use std::{fmt, io};

/// Where the value of a setting came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// The configuration file.
    File {
        /// The file, as it was named or found.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A flag, by its name with dashes.
    Flag(String),
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The setting.
    pub key: &'static str,
    /// Its value, hidden when it is a secret.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What it must be, beginning with "must".
    pub must: String,
}

/// Why the settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for isn't there.
    #[error("configuration file {} does not exist; name another with -c, or leave -c away to use ./config/config.yaml, ./config.yaml or the defaults", .0.display())]
    Missing(PathBuf),
    /// It is there but cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its text is not what the settings are: bad YAML, an unknown key, a value of the wrong type.
    #[error("{text}")]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1, when known.
        line: Option<u64>,
        /// The whole message: place, cause, the lines round it.
        text: String,
    },
    /// The environment or a flag names a setting that doesn't exist.
    #[error("{origin}: there is no setting {key}{}", nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    Unknown {
        /// What was named.
        key: String,
        /// Who named it.
        origin: Origin,
        /// What was probably meant, in the words of that source.
        nearest: Option<String>,
    },
    /// A value that cannot be read.
    #[error("{key} from {origin}: {message}")]
    Value {
        /// The setting.
        key: String,
        /// Where the value came from.
        origin: Origin,
        /// What is wrong with it.
        message: String,
    },
    /// Values that break rules, all of them.
    #[error("{}", violations(.0))]
    Invalid(Vec<Violation>),
    /// The process has no current directory.
    #[error("cannot tell the current directory: {0}")]
    CurrentDir(io::Error),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line, column } => write!(out, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(out, "environment variable {name}"),
            Self::Flag(name) => write!(out, "flag {name}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} = {} ({}) {}",
            self.key, self.value, self.origin, self.must
        )
    }
}

fn violations(all: &[Violation]) -> String {
    match all {
        [one] => format!("invalid setting: {one}"),
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|violation| format!("  {violation}"))
                .collect();
            format!("{} invalid settings:\n{}", many.len(), lines.join("\n"))
        }
    }
}
