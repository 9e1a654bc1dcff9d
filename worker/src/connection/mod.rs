//! The way to the coordinator: which address, which token, one control stream.
//!
//! Owns dialing and what its errors tell people. Decodes and forwards what comes in and passes on what is composed;
//! decides nothing about attempts and never waits for anything but the network.

mod dial;
mod error;
mod stream;

#[cfg(test)]
mod tests;

pub use dial::{Dialed, Dialer};
pub use error::{DialError, Unreachable, closed_by, explain};
pub use stream::{Control, open};
