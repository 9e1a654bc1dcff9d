//! One port for gRPC and HTTP: listening, accepting, and what every request passes before it is routed.
//!
//! Owns connections, their deadlines and their end. Never knows what a request means: that is `gateway` and `grpc`.

mod app;
mod bind;
mod connection;
mod deadline;
mod drain;
mod edge;
mod io;
mod seldom;
mod server;
mod standard;

pub use app::app;
pub use bind::{BindError, Listeners};
pub use edge::{Edge, Peer, RequestId};
pub use server::{Limits, Server};
pub use standard::{HEALTH_SERVICES, Standard, standard};

#[cfg(test)]
mod tests;
