//! What the benchmarks share: figures of a series, and how they are printed.

#![forbid(unsafe_code)]

pub mod figures;
