//! Facts about the machine: what it is, what it is called, where it can be reached, how busy it is.
//!
//! Reads only. Whatever a system doesn't tell is absent, never an error and never a guess.

mod addresses;
mod facts;
mod names;
mod platform;
mod sampler;

pub use addresses::{interface_addresses, is_tailnet, outbound_address, tailscale_address};
pub use facts::{Facts, boot_id, cpu_count, hostname, memory_total};
pub use names::own_names;
pub use platform::{normalise_arch, normalise_platform};
pub use sampler::{Sampler, Usage};
