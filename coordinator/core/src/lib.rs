//! The pure state machine that decides: tasks, attempts, leases, nodes.
//!
//! Owns: every rule of scheduling, leases, retries and recovery. Never: input or output, a clock, randomness, a
//! thread, an async function, an unordered map. The same events at the same times give the same effects.

#![forbid(unsafe_code)]

pub mod effect;
pub mod event;
pub mod model;
pub mod record;
pub mod settings;
pub mod version;
pub mod view;
