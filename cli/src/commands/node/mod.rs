//! `node …`.

mod info;
mod list;

pub(super) use info::info;
pub(super) use list::list;
