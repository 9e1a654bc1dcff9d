//! The coordinator's memory across restarts: records in an embedded ordered store.
//!
//! Owns: the encoding of every row, durability, fencing by epoch, what a restart finds, reads of what is committed.
//! Never: decides anything about tasks or nodes, reads a clock, answers anybody before a batch is durable.

mod encode;
mod engine;
mod error;
mod export;
mod load;
pub mod memory;
mod read;
mod record;
mod rows;
mod traits;

pub use error::StoreError;
pub use traits::{Batch, Limits, Page, Reader, ScanQuery, Start, Store, weight};
