//! `dev`: a coordinator and a worker on this machine, all data in one folder.

mod banner;
mod child;
mod platform;
mod programs;
mod ready;
mod verb;

pub(super) use verb::dev;
