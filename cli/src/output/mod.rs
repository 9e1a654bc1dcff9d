//! What the user sees: reports in every format, notes, failures.
//!
//! Standard output carries what was asked for and nothing else; notes and errors go to standard error. In JSON there
//! is exactly one document on standard output, success or not.

mod human;
mod paint;
mod printer;
mod table;

pub use human::{age, bytes, one_line, took};
pub use paint::{bold, tone, word};
pub use printer::{Look, Printer, Report, json_value};
pub use table::{Align, Table};
