//! Whether a machine can run a skill, and if not, exactly why.
//!
//! Asks only a [`Host`](crate::host::Host); keeps no state between calls.

mod dependencies;
mod evaluate;
mod python;
mod rules;

pub use dependencies::{Resolution, resolve};
pub use evaluate::{Evaluated, Runnable, evaluate};
pub use python::find_python;

#[cfg(test)]
mod tests;
