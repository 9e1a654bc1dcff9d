//! From flags to a task: parameters typed, files read, limits checked before anything is sent.

mod build;
mod inputs;
mod params;

pub use build::{build, ensure_key};
