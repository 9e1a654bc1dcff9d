//! What a skill's folder says about itself: `SKILL.md` frontmatter, `skill.json`, and the `run` block of either.
//!
//! Reads text into types and says, with the line, what is wrong. Never touches the disk and never judges whether a
//! machine can run the skill.

mod combine;
mod dependency;
mod error;
pub(crate) mod frontmatter;
pub(crate) mod legacy;
mod openclaw;
mod run;
mod value;

pub use combine::{Manifest, is_valid_name};
pub use dependency::{Dependency, VersionReq};
pub use error::ManifestError;
pub(crate) use openclaw::parse_json5;
pub use openclaw::{Gates, Install};
pub use run::{Mode, Resources, RunBlock, RunSpec, TestCase};

#[cfg(test)]
mod tests;
