//! Operating systems and their many names.

use std::fmt;

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
