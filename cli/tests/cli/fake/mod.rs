//! A coordinator made of answers.

mod build;
mod script;
mod service;

pub(crate) use build::{ID, OTHER, failed, final_task, node, reason, skill, state, task};
pub(crate) use script::{Call, Script, Step};
pub(crate) use service::Fake;
