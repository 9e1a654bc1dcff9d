//! Running attempts: builtins in this process, skills and commands as process trees that leave nothing behind.
//!
//! Owns child processes, their directories and their output. Knows nothing of the coordinator, of leases' validity or
//! of slots: what it is told to start, it starts; what it reports as ended is verified gone.

mod api;
mod attempt;
pub mod builtin;
mod clock;
mod collect;
mod ending;
mod environ;
pub mod guardian;
mod launch;
mod output;
mod program;
mod progress;
mod pump;
mod run_builtin;
mod run_process;
mod start;
mod tree;
mod workdir;

pub use api::{Event, Handle, Kill, Runnable, Settings, SkillRun, Terms};
pub use builtin::Builtin;
pub use guardian::{Guardian, GuardianCommand, GuardianError};
pub use start::Executor;

#[cfg(test)]
#[cfg(unix)]
mod tests;
