//! The gRPC face: clients, workers, and the one place where wire types become core types.

pub mod convert;
