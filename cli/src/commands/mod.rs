//! One file a verb. Each asks the coordinator and shows the answer; none keeps anything.

mod deliver;
mod dev;
mod dispatch;
mod node;
mod ps;
mod run;
mod select;
mod session;
mod skill;
mod status;
mod task;
mod tasks_report;
mod token;

pub(crate) use dispatch::dispatch;
