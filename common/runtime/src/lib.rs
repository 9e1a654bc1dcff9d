//! What every program of the cluster needs from its machine: clocks, owned tasks, signals, telemetry, locks,
//! careful files and facts about the host.
//!
//! Owns every contact with the operating system that is not the network protocol or a child process. Never holds
//! cluster state and never decides anything.

#![forbid(unsafe_code)]

pub mod clock;
pub mod fsx;
pub mod identity;
pub mod lock;
pub mod platform;
pub mod profiles;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
