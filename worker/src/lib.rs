//! The worker: runs skills and keeps its leases.

#![forbid(unsafe_code)]

pub mod model;
pub mod state;
