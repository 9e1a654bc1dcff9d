//! What tasks printed: one file for each attempt, below the coordinator's folder.
//!
//! Owns: the files, their bounds, how far each stream has come, and telling those who follow. A piece is kept once,
//! however often it is sent; what is over the bound is dropped and shows as a gap. Never: decides whether a task has
//! ended; the result's final offsets say when a log is complete.

mod file;
mod folder;
mod follow;
mod push;

pub use file::{Ends, Log};
pub use folder::{LogKey, TaskLogs};
pub use follow::{LogQuery, LogStream, stream};
pub use push::Pushes;
