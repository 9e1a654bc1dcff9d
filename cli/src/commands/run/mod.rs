//! `run`: submit, watch, deliver.

mod drive;
mod placeable;
mod verb;

pub(super) use verb::run;
