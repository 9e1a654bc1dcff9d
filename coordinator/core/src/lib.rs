//! The pure state machine that decides: tasks, attempts, leases, nodes.
//!
//! Owns: every rule of scheduling, leases, retries and recovery. Never: input or output, a clock, randomness, a
//! thread, an async function, an unordered map. The same events at the same times give the same effects.
//!
//! A reader follows a task through `submit` → `queue` → `dispatch` (with `place`) → `session` and `attempt` →
//! `ending`; `restore` builds the same state from the store, `check` proves that all indexes agree.

#![forbid(unsafe_code)]

mod arena;
mod attempt;
mod cancel;
mod check;
mod class;
mod core;
mod dispatch;
pub mod effect;
mod ending;
pub mod event;
mod family;
mod gate;
pub mod identity;
mod lease;
pub mod model;
mod node;
mod place;
mod pools;
mod query;
mod queue;
mod rebalance;
pub mod record;
mod restore;
mod session;
pub mod settings;
mod show;
mod submit;
mod task;
mod timer;
pub mod version;
pub mod view;

pub use self::core::Core;
