//! Watching tasks until they end, through broken connections, Ctrl-C and time limits. Never ends a task.

mod notes;
mod reattach;
mod states;
mod watcher;

pub(crate) use reattach::Reattach;
pub(crate) use states::follow;
pub(crate) use watcher::{Stop, Watcher};
