//! What this worker can run: builtins, and the skills found at start below `worker.skills_dir`.
//!
//! Owns the map from a skill's name to how it is run, and the reasons why one is not. Reads folders and probes programs
//! when asked to look; never runs a task.

mod builtin;
mod finder;
mod resolve;

#[cfg(test)]
mod tests;

pub use finder::Finder;
pub use resolve::Skills;
