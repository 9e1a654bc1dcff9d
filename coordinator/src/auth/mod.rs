//! Who may do what: the cluster token, where a request comes from, and which names this machine answers to.
//!
//! Owns every decision about trust. Never speaks HTTP or gRPC (`reply` and `serve` translate), never logs a token
//! and never puts one into an error.

mod authenticator;
mod failures;
mod host;
mod network;
mod policy;
mod token;

pub use authenticator::{Authenticator, os_user};
pub use host::{HostPolicy, HostRefusal};
pub use network::Link;
pub use policy::{Access, access_of};
pub use token::{ClusterToken, TokenError, publish};

#[cfg(test)]
mod tests;
