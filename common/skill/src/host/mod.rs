//! The machine as eligibility sees it: its system, its programs, its environment. A trait, so that rules are tested
//! without any real machine, and one real implementation.

mod openclaw;
mod os;
mod programs;
mod system;

use std::ffi::OsString;
use std::path::PathBuf;

pub use openclaw::OpenClawConfig;
pub use os::Os;
pub use programs::Programs;
pub use system::SystemHost;

/// What a machine can answer about itself.
pub trait Host {
    /// Its operating system.
    fn os(&self) -> Os;

    /// Where the program is that would start under this name; honours the recorded PATH and, on Windows, PATHEXT.
    fn find_program(&self, name: &str) -> Option<PathBuf>;

    /// Whether a task of a skill would get a non-empty value for a variable. `skill` is the name under which OpenClaw's
    /// configuration keeps the skill's entry; `primary` says that the variable is the skill's `primaryEnv`, which that
    /// entry's `apiKey` fills too.
    fn has_env(&self, skill: &str, key: &str, primary: bool) -> bool;

    /// Whether OpenClaw's own configuration has a truthy value at this dotted path (`browser.enabled`).
    fn has_config(&self, path: &str) -> bool;

    /// Starts a program, with nothing on its stdin and within a short time limit, and says why it did not exit with 0.
    /// `argv` is never empty.
    fn probe(&self, argv: &[OsString]) -> Result<(), String>;

    /// Whether a skill of this name is compiled into the worker.
    fn has_builtin(&self, name: &str) -> bool;
}

#[cfg(test)]
mod tests;
