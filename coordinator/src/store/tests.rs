//! The suite on every engine, and what is particular to each.

mod conformance;
mod memory;
mod sled;
mod sqlite;
mod thread;
