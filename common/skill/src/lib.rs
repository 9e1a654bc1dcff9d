//! Skills as files: what a folder says about itself, whether this machine can run it, and how.
//!
//! Owns manifests (`SKILL.md` frontmatter, `skill.json`), recipes, eligibility with its reasons, argv templates and
//! content hashes. It reads files and, only when a [`host::Host`] is asked to probe, starts a program; it never runs a
//! task, never opens a socket and never starts a thread or an async runtime.
#![forbid(unsafe_code)]

pub mod advert;
pub mod argv;
pub mod discover;
pub mod eligibility;
pub mod hash;
pub mod host;
pub mod install;
pub mod manifest;
pub mod recipe;

mod read;
