//! The command line of `openclaw-worker`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use openclaw_config::Overrides;

const EXAMPLES: &str = "\
Examples:
  openclaw-worker                             on the coordinator's machine, or one that has joined
  openclaw-worker join mac:8888 -             join a cluster; the token is read from standard input
  openclaw-worker --node-id worker-macbook --tag laptop
  openclaw-worker -c config/config.yaml --coordinator-host 100.64.0.1 --max-concurrent-tasks 8

The coordinator is looked for in this order:
  --coordinator-host; worker.coordinator; OPENCLAW_CLUSTER_ADDR or the address stored by `join`;
  coordinator.host; the host of communication.nats_url; this machine.
The token comes from:
  --token-file; OPENCLAW_CLUSTER_TOKEN; the coordinator's data on this machine; what `join` stored.

Exit codes:
  0   stopped as asked
  1   another error
  2   wrong arguments
  77  the token is missing, wrong, or does not allow this
  78  the settings are wrong, or this node's name or identity is in use elsewhere
A restart does not help after 77 and 78.";

/// Runs skills for an OpenClaw cluster.
#[derive(Debug, Parser)]
#[command(name = "openclaw-worker", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it, run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run until stopped; the default.
    Run(Box<RunArgs>),
    /// Store where a cluster is and its token, after checking both.
    Join(JoinArgs),
    /// Forget the cluster that this worker joined.
    Leave(WhereArgs),
    /// Kills what a worker leaves running when it dies.
    #[command(name = crate::executor::guardian::SUBCOMMAND, hide = true)]
    Guardian,
}

/// Which worker of this machine.
#[derive(Debug, Clone, Default, Args)]
pub struct WhereArgs {
    /// Settings file [default: config/config.yaml or config.yaml, when there is one]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name of this node [default: the host's name]
    #[arg(short, long, value_name = "NAME")]
    pub node_id: Option<String>,
    /// Where identity, results not delivered and working folders are kept [default: worker/NAME beside the store]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// How to run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Which worker of this machine.
    #[command(flatten)]
    pub worker: WhereArgs,
    /// Address to report for this machine; nothing listens on it [default: the one on the way to the coordinator]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Port to report; nothing listens on it
    #[arg(long)]
    pub port: Option<u16>,
    /// The coordinator's host name or address, with or without a port
    #[arg(long, value_name = "HOST")]
    pub coordinator_host: Option<String>,
    /// The coordinator's port, for every address that names none
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub coordinator_port: Option<u16>,
    /// File that holds the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Folder with skills
    #[arg(long, value_name = "DIR")]
    pub skills_dir: Option<PathBuf>,
    /// Ordinary tasks that run at the same time
    #[arg(long, value_name = "N")]
    pub max_concurrent_tasks: Option<u32>,
    /// A tag that tasks can ask for; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// What to join.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// Where the coordinator is: host, host:port or http://host:port
    pub address: String,
    /// The token that `openclaw-cluster token show` prints on the coordinator's machine; `-` reads it from standard input
    pub token: String,
    /// Which worker of this machine.
    #[command(flatten)]
    pub worker: WhereArgs,
}

impl WhereArgs {
    /// The flags as settings.
    pub fn overrides(&self) -> Overrides {
        Overrides::new()
            .with("--node-id", "worker.node_id", self.node_id.as_ref())
            .with(
                "--data-dir",
                "worker.data_dir",
                self.data_dir.as_ref().map(|dir| dir.display()),
            )
    }
}

impl RunArgs {
    /// The flags as settings.
    pub fn overrides(&self) -> Overrides {
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(","));
        self.worker
            .overrides()
            .with("--port", "worker.port", self.port)
            .with(
                "--skills-dir",
                "worker.skills_dir",
                self.skills_dir.as_ref().map(|dir| dir.display()),
            )
            .with(
                "--max-concurrent-tasks",
                "worker.max_concurrent_tasks",
                self.max_concurrent_tasks,
            )
            .with("--tag", "worker.tags", tags)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_and_takes_the_same_flags() {
        let bare = Cli::try_parse_from([
            "openclaw-worker",
            "-n",
            "mac",
            "--tag",
            "gpu",
            "--tag",
            "office",
        ])
        .unwrap();
        assert_eq!(
            (bare.run.worker.node_id.as_deref(), bare.run.tags.len()),
            (Some("mac"), 2)
        );
        let named =
            Cli::try_parse_from(["openclaw-worker", "run", "--coordinator-host", "pc"]).unwrap();
        let Some(Command::Run(run)) = named.command else {
            panic!("not run")
        };
        assert_eq!(run.coordinator_host.as_deref(), Some("pc"));
    }

    #[test]
    fn every_flag_of_the_guide_is_known() {
        let flags = [
            "openclaw-worker",
            "-c",
            "config.yaml",
            "-n",
            "worker-main",
            "--host",
            "100.64.0.2",
            "--port",
            "18789",
            "--coordinator-host",
            "100.64.0.1",
            "--coordinator-port",
            "8888",
            "--skills-dir",
            "skills",
        ];
        assert!(Cli::try_parse_from(flags).is_ok());
    }
}
