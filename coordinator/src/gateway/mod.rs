//! The HTTP API.

pub mod problem;
