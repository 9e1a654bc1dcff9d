//! `task …`.

mod cancel;
mod explain;
mod info;
mod list;
mod logs;
mod submit;
mod wait;

pub(super) use cancel::cancel;
pub(super) use explain::explain;
pub(super) use info::info;
pub(super) use list::list;
pub(super) use logs::logs;
pub(super) use submit::{submit, submit_spec};
pub(super) use wait::{goes_on, wait};
