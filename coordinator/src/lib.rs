//! The coordinator: one core, its store, and its faces on one port.

#![forbid(unsafe_code)]

pub mod auth;
pub mod driver;
pub mod events;
pub mod gateway;
pub mod grpc;
pub mod handle;
pub mod limits;
mod outbox;
pub mod program;
pub mod reply;
pub mod run;
pub mod serve;
pub mod shared;
pub mod store;
pub mod task_logs;
pub mod task_record;
pub mod welcome;
