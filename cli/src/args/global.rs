//! Flags that every verb takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What a report looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// More columns.
    Wide,
    /// One JSON document, errors included.
    Json,
    /// One JSON document a line.
    Jsonl,
    /// Ids only.
    Name,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[expect(
    clippy::doc_markdown,
    reason = "shown as help, where backticks are noise"
)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Coordinator, as host or host:port [env: OPENCLAW_CLUSTER_ADDR]; otherwise the default of the
    /// profiles file, the configuration found here, 127.0.0.1:8888
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub addr: Option<String>,

    /// File that holds the token [token env: OPENCLAW_CLUSTER_TOKEN]; otherwise it is found by itself
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Configuration file; otherwise ./config/config.yaml or ./config.yaml when there is one
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to print
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,

    /// The same as -o json
    #[arg(long, global = true, conflicts_with = "output")]
    pub json: bool,

    /// Ids only, no notes
    #[arg(short, long, global = true, conflicts_with_all = ["output", "json"])]
    pub quiet: bool,

    /// When to use colour; NO_COLOR is heeded
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: ColorChoice,
}

impl Global {
    /// The format that `-o`, `--json` and `--quiet` come to.
    pub fn format(&self) -> Format {
        match self.output {
            _ if self.json => Format::Json,
            _ if self.quiet => Format::Name,
            Some(format) => format,
            None => Format::Table,
        }
    }
}
