//! The flags that describe a task, shared by `run` and `task submit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use openclaw_common::status::{Priority, Strategy, TaskType};

use super::parse;

/// What to run and how. Exactly one of a skill and a command.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["skill", "command"]))]
pub struct SpecArgs {
    /// Skill to run, as `openclaw-cluster skill list` names it
    pub skill: Option<String>,

    /// A parameter; the value is JSON when it reads as a number, true, false, an object, an array or a
    /// quoted string, else text. May be repeated
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = parse::pair, help_heading = "Input")]
    pub params: Vec<(String, String)>,

    /// All parameters as one JSON object; --param goes on top
    #[arg(
        long = "params",
        value_name = "JSON",
        conflicts_with = "params_file",
        help_heading = "Input"
    )]
    pub params_json: Option<String>,

    /// File with all parameters as one JSON object, or - for standard input; --param goes on top
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub params_file: Option<PathBuf>,

    /// File to send along, optionally under another name (name=- reads standard input); together at most
    /// 512 KiB. May be repeated
    #[arg(
        short,
        long = "input",
        value_name = "[NAME=]PATH",
        help_heading = "Input"
    )]
    pub inputs: Vec<String>,

    /// Environment variable for the task. May be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = parse::pair, help_heading = "Input")]
    pub env: Vec<(String, String)>,

    /// The one node that may run it
    #[arg(long, value_name = "NODE", help_heading = "Where")]
    pub node: Option<String>,

    /// Tag that the node must have. May be repeated
    #[arg(long = "tag", value_name = "TAG", help_heading = "Where")]
    pub tags: Vec<String>,

    /// Tag that is good to have. May be repeated
    #[arg(long = "prefer-tag", value_name = "TAG", help_heading = "Where")]
    pub prefer_tags: Vec<String>,

    /// How a node is chosen among those that fit; default: the cluster's strategy
    #[arg(long, value_name = "STRATEGY", value_parser = parse::word::<Strategy>(words(Strategy::ALL, |s| s.as_str())), help_heading = "Where")]
    pub strategy: Option<Strategy>,

    /// Longest time an attempt may run
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = "How")]
    pub timeout: Option<Duration>,

    /// Longest time it may wait for its first start
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = "How")]
    pub queue_timeout: Option<Duration>,

    /// Order between tasks; default: normal
    #[arg(long, value_name = "PRIORITY", value_parser = parse::word::<Priority>(words(Priority::ALL, |p| p.as_str())), help_heading = "How")]
    pub priority: Option<Priority>,

    /// What kind of work it is; default: batch
    #[arg(long = "type", value_name = "TYPE", value_parser = parse::word::<TaskType>(words(TaskType::ALL, |t| t.as_str())), help_heading = "How")]
    pub task_type: Option<TaskType>,

    /// Retries after the first attempt; default: 3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100), help_heading = "How")]
    pub max_retries: Option<u32>,

    /// The same key names the same task: submitting it again makes nothing new
    #[arg(long, value_name = "KEY", help_heading = "How")]
    pub idempotency_key: Option<String>,

    /// A name for people
    #[arg(long, help_heading = "How")]
    pub name: Option<String>,

    /// Whose task it is; naming somebody else needs the cluster token
    #[arg(long, help_heading = "How")]
    pub user: Option<String>,

    /// Program and arguments to run instead of a skill, without a shell, on nodes that allow commands
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Where results go, and how the process ends.
#[derive(Debug, Clone, Args)]
pub struct TakeArgs {
    /// Folder for output files; default: one named after the task, below ./outputs
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub output_dir: Option<PathBuf>,

    /// End with the skill's own exit code when it failed
    #[arg(long, help_heading = "Result")]
    pub propagate_exit: bool,
}

/// `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The task.
    #[command(flatten)]
    pub spec: SpecArgs,

    /// What to do with the result.
    #[command(flatten)]
    pub take: TakeArgs,

    /// Wait at most so long; past it the task goes on and the exit code is 4
    #[arg(short, long, value_name = "DURATION", value_parser = parse::some_time, help_heading = "Result")]
    pub wait: Option<Duration>,

    /// Don't wait: print the id and return
    #[arg(short, long, conflicts_with_all = ["wait", "output_dir", "propagate_exit"], help_heading = "Result")]
    pub detach: bool,

    /// End with exit code 3 instead of waiting when no connected node can run it; the task is cancelled
    #[arg(long, help_heading = "Where")]
    pub fail_if_unplaceable: bool,
}

/// `task submit`.
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// The task.
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// The words of an enumeration, for [`parse::word`].
pub(super) fn words<T: Copy>(all: &[T], as_str: impl Fn(&T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(as_str).collect()
}
