//! The worker: runs skills and keeps its leases.
//!
//! `state` decides, pure and synchronous; `driver` is its only owner and carries out what it decides through
//! `connection`, `executor`, `spool` and `logs`, none of which decides anything.

#![forbid(unsafe_code)]

pub mod connection;
pub mod convert;
pub mod executor;
pub mod identity;
pub mod logs;
pub mod model;
pub mod skills;
pub mod spool;
pub mod state;
pub mod token;
