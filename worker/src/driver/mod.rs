//! The only owner of the state: waits for whatever comes first, hands it to the state with the time, carries out what
//! the state decides, and says what it composes when the stream can take it.
//!
//! Decides nothing itself, never blocks, and never waits for a disk, a process or a slow peer: each of those has a
//! bounded queue and a task or thread of its own.

mod attempts;
mod carry;
mod gap;
mod load;
mod notices;
mod parts;
mod turn;
mod wait;

pub use load::follow_load;
pub use parts::{Offering, Parts};
pub use turn::run;
