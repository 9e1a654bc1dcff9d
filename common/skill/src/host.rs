//! The machine as eligibility sees it: its system, its programs, its environment. A trait, so that rules are tested
//! without any real machine.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// An operating system that skills are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux.
    Linux,
    /// macOS, `darwin` in OpenClaw's manifests.
    MacOs,
    /// Windows, `win32` in OpenClaw's manifests.
    Windows,
}

impl Os {
    /// The system this program was built for; other Unixes count as Linux.
    pub const fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }

    /// Reads the names that occur in manifests, in any case: `linux`; `darwin`, `macos`, `mac`, `osx`; `win32`,
    /// `windows`, `win`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "linux" => Some(Self::Linux),
            "darwin" | "macos" | "mac" | "osx" => Some(Self::MacOs),
            "win32" | "windows" | "win" => Some(Self::Windows),
            _ => None,
        }
    }

    /// The name this product uses: `linux`, `macos`, `windows`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::MacOs => "macos",
            Self::Windows => "windows",
        }
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a machine can answer about itself.
pub trait Host {
    /// Its operating system.
    fn os(&self) -> Os;

    /// Where the program is that would start under this name; honours the recorded PATH and, on Windows, PATHEXT.
    fn find_program(&self, name: &str) -> Option<PathBuf>;

    /// Whether a task of `skill` would get a non-empty value for this variable.
    fn has_env(&self, skill: &str, key: &str) -> bool;

    /// Whether OpenClaw's own configuration has a truthy value at this dotted path (`browser.enabled`).
    fn has_config(&self, path: &str) -> bool;

    /// Starts a program, with nothing on its stdin and within a short time limit, and says why it did not exit with 0.
    /// `argv` is never empty.
    fn probe(&self, argv: &[OsString]) -> Result<(), String>;

    /// Whether a skill of this name is compiled into the worker.
    fn has_builtin(&self, name: &str) -> bool;
}
