//! The HTTP API: paths, parameters, bodies and answers.
//!
//! Owns JSON and what is particular to HTTP. Never decides anything: it asks the handle, as gRPC does. Trust, limits
//! on connections and the form of errors are the edge's (`serve`).

mod answer;
mod body;
mod dto;
mod health;
mod logs;
mod nodes;
mod params;
pub mod problem;
mod skills;
mod state;
mod submit;
mod tasks;

pub use state::{Gateway, router};

#[cfg(test)]
mod tests;
