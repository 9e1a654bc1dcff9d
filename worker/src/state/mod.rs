//! What a worker holds and decides: a pure state machine.
//!
//! Owns: the attempts that this process holds, the pools they draw on, results until they are acknowledged, the
//! relation to the coordinator (dialing, open, leases judged or not) and the way to a stop. Events enter with the time
//! at which they are handled; what is to be done comes out as [`Effects`], what is to be said through
//! [`State::compose`] at the moment when the stream can take it.
//!
//! Never: input or output, a clock, randomness (a seed enters once), tokio, wire types, containers without an order.
//! The same events at the same times give the same effects and messages.

mod attempt;
mod compose;
mod deadline;
mod desired;
mod effect;
mod event;
mod link;
mod machine;
mod message;
mod offer;
mod outbox;
mod pools;
mod result;
mod stop;
mod verdict;
mod weight;

#[cfg(test)]
mod tests;

pub use effect::{Effects, Exit, Kill, Notice, Remembered};
pub use event::{Closed, ClosedBy, Desired, Event, Offered, Verdict, VerdictAction, Welcome};
pub use machine::{Options, State};
pub use message::{Finished, HeartbeatPart, Held, HelloPart, LeaseState, Message, Progress};
