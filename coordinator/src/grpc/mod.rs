//! The gRPC face: clients, workers, and the one place where wire types become core types.
//!
//! Owns: the two services. Who asks has been established before a call arrives here (`serve`). Never: decides, keeps
//! state of tasks or nodes.

mod client;
pub mod convert;
mod lists;
mod registrations;
mod run_task;
mod stream_in;
mod stream_out;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

pub use client::Clients;
use openclaw_common::code::ErrorCode;
use openclaw_core::model::Principal;
use tonic::{Request, Status};
pub use worker::Workers;

use crate::reply;

/// Who asks, as established at the edge.
fn principal<T>(request: &Request<T>) -> Result<Principal, Status> {
    request
        .extensions()
        .get::<Principal>()
        .cloned()
        .ok_or_else(|| {
            reply::status(&reply::refusal(
                ErrorCode::Unauthenticated,
                "nobody has established who asks",
            ))
        })
}
