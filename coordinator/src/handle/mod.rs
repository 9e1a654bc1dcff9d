//! What the faces ask of the coordinator: one cheap clone for each request.
//!
//! Owns: the way into the lanes, timeouts, and putting together what the core and the store know. Never: status codes,
//! JSON, wire types beyond the specification of a task.

mod admit;
mod pages;
mod streams;
mod tasks;

pub use admit::{Handle, HandleParts};
pub use pages::{PAGE_MOST, TaskFilter, TaskPage};
pub(crate) use tasks::unknown;
