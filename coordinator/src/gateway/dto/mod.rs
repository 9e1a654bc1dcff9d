//! JSON against wire messages: what clients of the HTTP API write and read.
//!
//! Owns field names and forms. Never limits or meaning: those are `grpc::convert`'s, for both faces.

mod json;
mod nodes;
mod scalar;
mod task_in;
mod task_out;
mod text;
mod words;

pub(super) use nodes::{ClusterHealth, NodeHealth, NodeOut, SkillOut, explanation};
pub(super) use scalar::{parse_span, parse_time, stamp};
pub(super) use task_in::{Submission, submission};
pub(super) use task_out::{ResultOut, StateOut, TaskOut};
pub(super) use text::reason;
pub(super) use words::known;

#[cfg(test)]
mod tests;
