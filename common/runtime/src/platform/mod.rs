//! What differs between operating systems, one concern a file, so that nothing else needs to ask which one it runs on.

pub mod dirs;
pub mod files;
pub mod hardening;
pub mod priority;
pub mod signals;
