//! The settings of all binaries: their types and defaults, where they come from, and what they must obey.
//!
//! Owns the keys of `config/config.yaml`. Reads a file, the environment it is given and overrides it is given;
//! starts nothing and keeps nothing.

#![forbid(unsafe_code)]

mod address;
mod complaint;
mod dial;
mod environment;
mod error;
mod file;
mod keys;
mod layers;
mod listing;
mod load;
mod nats;
mod paths;
mod settings;
#[cfg(test)]
mod shipped;
mod units;
mod validate;

pub use address::{Address, AddressError};
pub use dial::{Candidate, DialError, DialInputs, Why, dial_order};
pub use error::{ConfigError, Origin, Violation};
pub use keys::{KEYS, Key, Kind};
pub use listing::Listed;
pub use load::{Loaded, Loader, Overrides};
pub use settings::{
    Cluster, Communication, Coordinator, Limits, Log, LogFormat, Scheduler, Security, Settings,
    Storage, StorageType, Worker,
};
pub use units::Secret;
