//! Finding what the user did not say: the coordinator's address, the token, the last task.
//!
//! Reads flags, environment, the profiles file and the configuration; asks nobody on the network.

mod address;
mod last;
mod settings;
mod surroundings;
mod token;

#[cfg(test)]
mod tests;

pub use address::{Chosen, coordinator};
pub use last::LastTask;
pub use settings::ConfigFacts;
pub use surroundings::Surroundings;
pub use token::tokens;
