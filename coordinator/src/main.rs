//! The `openclaw-coordinator` program: flags, settings, logs, and then `run`.

#![forbid(unsafe_code)]

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use openclaw_config::{Loaded, Loader, LogFormat, Overrides, Settings};
use openclaw_coordinator::run::{Setup, Started, run};
use openclaw_runtime::profiles::{PROFILES_VARIABLE, ProfilesFile};
use openclaw_runtime::shutdown::Signals;
use openclaw_runtime::telemetry::{self, Format, Options, Rotation, Telemetry};

/// Decides where tasks run, and keeps what is known of them.
#[derive(Debug, Parser)]
#[command(name = "openclaw-coordinator", version)]
struct Args {
    /// Settings file [default: config/config.yaml when there is one]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, or `tailscale` for loopback and the tailnet only
    #[arg(long)]
    host: Option<String>,
    /// Port for gRPC and HTTP
    #[arg(long)]
    port: Option<u16>,
    /// Where the state of the cluster is kept
    #[arg(long, value_name = "PATH")]
    db_path: Option<PathBuf>,
    /// DEBUG, INFO, WARNING or ERROR
    #[arg(long)]
    log_level: Option<String>,
    /// `json` or `text`
    #[arg(long)]
    log_format: Option<String>,
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> anyhow::Result<()> {
    let overrides = Overrides::new()
        .with("--host", "coordinator.host", args.host.as_ref())
        .with("--port", "coordinator.port", args.port)
        .with(
            "--db-path",
            "storage.path",
            args.db_path.as_ref().map(|path| path.display()),
        )
        .with("--log-level", "log.level", args.log_level.as_ref())
        .with("--log-format", "log.format", args.log_format.as_ref());
    let Loaded { settings, file, .. } =
        Loader::of_process(args.config.clone(), overrides)?.load()?;
    let _telemetry = start_log(&settings)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = ?file, store = %settings.storage.path.display(), "the coordinator starts");
    let runtime = tokio::runtime::Runtime::new().context("the system gives no threads")?;
    runtime.block_on(async {
        let signals = Signals::install().context("cannot listen for signals")?;
        let profiles =
            ProfilesFile::locate(std::env::var_os(PROFILES_VARIABLE).map(PathBuf::from)).ok();
        let cluster = settings.cluster.name.clone();
        let ended = run(
            Setup { settings, profiles },
            signals.shutdown(),
            |started| announce(started, &cluster),
        )
        .await;
        ended.inspect_err(|error| tracing::error!(%error, "the coordinator ends"))?;
        tracing::info!("the coordinator has stopped");
        Ok(())
    })
}

fn start_log(settings: &Settings) -> anyhow::Result<Telemetry> {
    let log = &settings.log;
    Ok(telemetry::init(&Options {
        program: "coordinator".to_owned(),
        level: log.level.clone(),
        format: match log.format {
            LogFormat::Json => Format::Json,
            LogFormat::Text => Format::Text,
        },
        console: true,
        colour: std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal(),
        file: Some(Rotation {
            dir: log.dir.clone(),
            keep_days: log.keep_days,
            max_bytes: u64::from(log.max_size_mb) << 20,
        }),
    })?)
}

/// Tells a person where it is, and after the very first start how others join.
fn announce(started: &Started, cluster: &str) {
    tracing::info!(addresses = ?started.addresses, cluster, data = %started.folder.display(), "the coordinator serves");
    // A closed standard output is no reason not to serve.
    drop(writeln!(
        std::io::stdout(),
        "{}",
        openclaw_coordinator::welcome::text(started, cluster)
    ));
}
