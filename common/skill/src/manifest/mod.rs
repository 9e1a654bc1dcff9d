//! What a skill's folder says about itself: `SKILL.md` frontmatter, `skill.json`, and the `run` block of either.
//!
//! Reads text into types and says, with the line, what is wrong. Never touches the disk and never judges whether a
//! machine can run the skill.

pub mod run;
pub(crate) mod value;

pub use run::{Mode, Resources, RunBlock, RunSpec, TestCase};
