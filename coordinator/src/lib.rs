//! The coordinator: one core, its store, and its faces on one port.

#![forbid(unsafe_code)]

pub mod auth;
pub mod driver;
pub mod events;
pub mod gateway;
pub mod grpc;
pub mod handle;
mod outbox;
pub mod reply;
pub mod serve;
pub mod shared;
pub mod store;
pub mod task_record;
