//! The only owner of the core and of the store's writing side.
//!
//! One turn: take what waits in the three lanes (workers, then submits and control, then reads), read the clocks once,
//! let the core handle it, hand its writes to the store thread as one batch, and carry out the rest when that batch is
//! durable. While a batch is being flushed the next one is collected. Never: decides about tasks or nodes, waits for a
//! peer, answers before the flush.

mod intake;
mod lanes;
mod pending;
mod publish;
mod replies;
mod run;
mod sessions;
mod specs;
mod supervise;
mod watchdog;

#[cfg(test)]
mod tests;

pub(crate) use lanes::{Command, Lanes, Query, WorkerInput};
pub use publish::PublishedView;
pub(crate) use specs::SpecCache;
pub use supervise::{Driver, DriverParts};
