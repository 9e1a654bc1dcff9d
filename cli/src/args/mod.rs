//! The command line as clap reads it: verbs, flags, help with examples. Never does anything.

mod global;
mod parse;
mod run;
mod verbs;

#[cfg(test)]
mod tests;

pub use global::{ColorChoice, Format, Global};
pub use run::{RunArgs, SpecArgs, SubmitArgs, TakeArgs};
pub use verbs::{
    CancelArgs, Cli, Command, DevArgs, IdArgs, InfoArgs, ListArgs, LogsArgs, NodeCommand,
    NodeListArgs, PsArgs, SkillCommand, TaskCommand, TokenCommand, WaitArgs,
};
