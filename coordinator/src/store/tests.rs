//! The suite on every engine, and what is particular to each.

mod memory;
mod sled;
mod sqlite;
mod thread;
