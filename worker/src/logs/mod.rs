//! Output of attempts on its way to the coordinator, on a connection of its own.
//!
//! Owns what was printed and is not acknowledged, in bounded memory: when that is full, the oldest output of the
//! attempt that holds most is dropped, and the gap in its offsets shows it. Never delays an attempt, its result or a
//! heartbeat.

mod buffer;
mod push;

pub use buffer::{Buffer, Source};
pub use push::Logs;
