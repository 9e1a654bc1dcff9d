//! The tree of verbs, each with examples at the end of its help.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand};
use openclaw_common::status::{NodeStatus, TaskStatus};

use super::global::Global;
use super::parse;
use super::run::{RunArgs, SubmitArgs, TakeArgs, words};
use crate::exit::Exit;

/// Run tasks on your machines, and see what they do.
#[derive(Debug, Parser)]
#[command(
    name = "openclaw-cluster",
    bin_name = "openclaw-cluster",
    version,
    max_term_width = 110,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = format!(
        "Examples:\n  \
         openclaw-cluster dev\n  \
         openclaw-cluster run text-stats --input README.md\n  \
         openclaw-cluster run echo --param text=hi --json --wait 9s\n  \
         openclaw-cluster task explain last\n\n{}",
        Exit::help()
    )
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs and nouns of the first level.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a skill or a command, wait for it and print its result
    ///
    /// The result goes to standard output, everything else to standard error. Ctrl-C stops watching, never the
    /// work. With --json the whole task is printed as one document.
    #[command(after_help = "Examples:\n  \
        openclaw-cluster run text-stats --input README.md\n  \
        openclaw-cluster run echo --param text=hi --param count=3\n  \
        openclaw-cluster run text-stats --input talk.txt=notes/2026.txt --output-dir out\n  \
        openclaw-cluster run csv-summary --params-file - --json --wait 9s\n  \
        openclaw-cluster run --node studio-pc --timeout 10m -- ffmpeg -version")]
    Run(Box<RunArgs>),

    /// Show what is waiting, running and just ended
    #[command(after_help = "Examples:\n  \
        openclaw-cluster ps\n  \
        openclaw-cluster ps --recent 24h\n  \
        openclaw-cluster ps -q")]
    Ps(PsArgs),

    /// Show the cluster in one look
    #[command(after_help = "Examples:\n  \
        openclaw-cluster status\n  \
        openclaw-cluster status --addr mac.tail1234.ts.net:8888\n  \
        openclaw-cluster status --json")]
    Status,

    /// Submit, list, follow and cancel tasks
    #[command(
        subcommand,
        visible_alias = "tasks",
        after_help = "Examples:\n  \
        openclaw-cluster task list --status failed --since 24h\n  \
        openclaw-cluster task info last\n  \
        openclaw-cluster task logs last --follow"
    )]
    Task(TaskCommand),

    /// Look at the machines
    #[command(
        subcommand,
        visible_alias = "nodes",
        after_help = "Examples:\n  \
        openclaw-cluster node list\n  \
        openclaw-cluster node info macbook"
    )]
    Node(NodeCommand),

    /// Look at what can be run, and where
    #[command(
        subcommand,
        visible_alias = "skills",
        after_help = "Examples:\n  \
        openclaw-cluster skill list\n  \
        openclaw-cluster skill info text-stats"
    )]
    Skill(SkillCommand),

    /// Show the cluster token
    #[command(
        subcommand,
        visible_alias = "tokens",
        after_help = "Examples:\n  \
        openclaw-cluster token show"
    )]
    Token(TokenCommand),

    /// Start a coordinator and a worker on this machine, all data in one folder
    ///
    /// Needs no configuration. The worker also runs commands (`run -- PROGRAM`). Ctrl-C stops both.
    #[command(after_help = "Examples:\n  \
        openclaw-cluster dev\n  \
        openclaw-cluster dev --port 9000 --dir /tmp/cluster")]
    Dev(DevArgs),
}

/// `task …`.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Submit a task and print its id
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task submit text-stats --input README.md\n  \
        openclaw-cluster task submit echo --param text=hi --idempotency-key greeting-1")]
    Submit(Box<SubmitArgs>),

    /// List tasks, newest first
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  \
        openclaw-cluster task list\n  \
        openclaw-cluster task list --status failed,timeout --since 24h\n  \
        openclaw-cluster task list --skill text-stats --node macbook --limit 20 -o jsonl"
    )]
    List(ListArgs),

    /// Show a task: what was asked, where it stands, what happened
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task info last\n  \
        openclaw-cluster task info 01JD --json")]
    Info(InfoArgs),

    /// Wait until tasks are final and print the result
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task wait last\n  \
        openclaw-cluster task wait task_01JD --wait 9s --json")]
    Wait(WaitArgs),

    /// Show what a task printed
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task logs last\n  \
        openclaw-cluster task logs last --follow --stderr\n  \
        openclaw-cluster task logs 01JD --attempt 1")]
    Logs(LogsArgs),

    /// End tasks, waiting or running
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task cancel last\n  \
        openclaw-cluster task cancel 01JD --reason \"wrong input\"")]
    Cancel(CancelArgs),

    /// Say for every node why a task runs there or doesn't
    #[command(after_help = "Examples:\n  \
        openclaw-cluster task explain last\n  \
        openclaw-cluster task explain 01JD --json")]
    Explain(InfoArgs),
}

/// `node …`.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List the machines
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  \
        openclaw-cluster node list\n  \
        openclaw-cluster node list --status offline -o wide"
    )]
    List(NodeListArgs),

    /// Show one machine and its skills
    #[command(after_help = "Examples:\n  \
        openclaw-cluster node info macbook\n  \
        openclaw-cluster node info macbook --json")]
    Info(IdArgs),
}

/// `skill …`.
#[derive(Debug, Subcommand)]
pub enum SkillCommand {
    /// List skills, where they can run and why not elsewhere
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  \
        openclaw-cluster skill list\n  \
        openclaw-cluster skill list -o wide"
    )]
    List,

    /// Show one skill: parameters, nodes, reasons
    #[command(after_help = "Examples:\n  \
        openclaw-cluster skill info text-stats\n  \
        openclaw-cluster skill info text-stats --json")]
    Info(IdArgs),
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print the cluster token and how another machine joins with it
    #[command(after_help = "Examples:\n  \
        openclaw-cluster token show\n  \
        openclaw-cluster token show -q")]
    Show,
}

/// `dev`.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Folder for all data and logs, made when missing
    #[arg(long, value_name = "DIR", default_value = ".openclaw-dev")]
    pub dir: PathBuf,

    /// Port of the coordinator
    #[arg(long, value_name = "PORT", default_value = "8888")]
    pub port: NonZeroU16,

    /// Name of the worker; default: this machine's name
    #[arg(short, long, value_name = "NODE")]
    pub node_id: Option<String>,

    /// Folder with skills; default: ./skills when it exists
    #[arg(long, value_name = "DIR")]
    pub skills_dir: Option<PathBuf>,
}

/// `ps`.
#[derive(Debug, Clone, Args)]
pub struct PsArgs {
    /// Also what ended within this time
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, default_value = "10m")]
    pub recent: Duration,
}

/// `task list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only these states, separated by commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = parse::word::<TaskStatus>(words(TaskStatus::ALL, |s| s.as_str())))]
    pub status: Vec<TaskStatus>,

    /// Only tasks that run this skill
    #[arg(long)]
    pub skill: Option<String>,

    /// Only tasks whose latest attempt was on this node
    #[arg(long)]
    pub node: Option<String>,

    /// Only tasks of this user
    #[arg(long)]
    pub user: Option<String>,

    /// Only tasks of this batch
    #[arg(long, value_name = "ID")]
    pub batch: Option<String>,

    /// Only tasks submitted since a time (RFC 3339) or within a duration
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    pub since: Option<SystemTime>,

    /// At most this many; 0 means all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// `task wait`.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// Ids, beginnings of ids, or `last`
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,

    /// Wait at most so long; past it the exit code is 4
    #[arg(short, long, alias = "timeout", value_name = "DURATION", value_parser = parse::duration)]
    pub wait: Option<Duration>,

    /// What to do with the result.
    #[command(flatten)]
    pub take: TakeArgs,
}

/// `task logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Id, beginning of an id, or `last`
    #[arg(value_name = "TASK")]
    pub task: String,

    /// Go on until the attempt has ended
    #[arg(short, long)]
    pub follow: bool,

    /// Which attempt; default: the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,

    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    pub stdout: bool,

    /// Only standard error
    #[arg(long)]
    pub stderr: bool,
}

/// `task cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// Ids, beginnings of ids, or `last`
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,

    /// Why, for people who look at the task later
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// A verb that looks at one task.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    /// Id, beginning of an id, or `last`
    #[arg(value_name = "TASK")]
    pub task: String,
}

/// A verb that looks at one thing by its full name.
#[derive(Debug, Clone, Args)]
pub struct IdArgs {
    /// Its name
    pub name: String,
}

/// `node list`.
#[derive(Debug, Clone, Args)]
pub struct NodeListArgs {
    /// Only these states, separated by commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = parse::word::<NodeStatus>(words(NodeStatus::ALL, |s| s.as_str())))]
    pub status: Vec<NodeStatus>,
}
