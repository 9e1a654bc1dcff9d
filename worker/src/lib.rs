//! The worker: runs skills and keeps its leases.
//!
//! `state` decides, pure and synchronous; `driver` is its only owner and carries out what it decides through
//! `connection`, `executor`, `spool` and `logs`, none of which decides anything.

#![forbid(unsafe_code)]

pub mod args;
pub mod connection;
pub mod convert;
pub mod driver;
pub mod executor;
pub mod identity;
pub mod join;
pub mod logs;
pub mod model;
pub mod places;
pub mod setup;
pub mod skills;
pub mod spool;
pub mod state;
pub mod token;
