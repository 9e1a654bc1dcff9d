//! Results that are not acknowledged, on disk: one file each, so that a crash of the worker or a closed lid loses none.
//!
//! Owns the folder `spool` of the data directory. A file is complete or absent for every reader, because it is renamed
//! into place; it is not synced, since a power loss merely runs the task again. What cannot be read, or belongs to
//! another cluster, is put aside for people to look at and never deleted.

mod file;
mod folder;
mod keeper;

#[cfg(test)]
mod tests;

pub use folder::{Loaded, Spool, SpoolError};
pub use keeper::{Done, Keeper, Order};
