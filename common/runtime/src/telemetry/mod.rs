//! Logs: on the console and, beside it, in a file that rotates by day and by size.
//!
//! Owns the process's tracing subscriber. Never blocks the code that logs: both outputs have a bounded queue and a
//! thread of their own, and what does not fit is counted.

mod filter;
mod rotate;
mod setup;

pub use filter::{FilterError, parse_level};
pub use rotate::{RotatingFile, Rotation};
pub use setup::{Format, Options, Telemetry, TelemetryError, init};
