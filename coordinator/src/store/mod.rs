//! The coordinator's memory across restarts: records in an embedded ordered store.
//!
//! Owns: the encoding of every row, durability, fencing by epoch, what a restart finds, reads of what is committed.
//! Never: decides anything about tasks or nodes, reads a clock, answers anybody before a batch is durable.

mod caught;
mod encode;
mod engine;
mod error;
mod export;
mod home;
mod load;
pub mod memory;
mod opener;
mod place;
mod read;
mod record;
mod rows;
#[cfg(test)]
mod samples;
mod sled;
mod sqlite;
mod sync;
#[cfg(test)]
mod tests;
mod thread;
mod traits;
mod witness;

pub use error::StoreError;
pub use home::Home;
pub use opener::Opener;
pub use thread::{Committed, Completion, Opened, StoreThread};
pub use traits::{Batch, Limits, Page, Reader, ScanQuery, Start, Store, weight};
