//! The `openclaw-coordinator` program: flags, settings, log, and then `run`.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use openclaw_config::Loaded;
use openclaw_coordinator::program::{Args, start_log, told};
use openclaw_coordinator::run::{Setup, Started, run};
use openclaw_coordinator::welcome;
use openclaw_runtime::profiles::{PROFILES_VARIABLE, ProfilesFile};
use openclaw_runtime::shutdown::Signals;

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> anyhow::Result<()> {
    let Loaded { settings, file, .. } = args.load()?;
    let _telemetry = start_log(&settings)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %file.unwrap_or_default().display(),
        store = %settings.storage.path.display(),
        "the coordinator starts"
    );
    if let Some(host) = settings.nats_placeholder() {
        tracing::warn!(
            host,
            "communication.nats_url holds a placeholder, which is ignored; fill in the address or remove the line"
        );
    }
    let runtime = tokio::runtime::Runtime::new().context("the system gives no threads")?;
    runtime.block_on(async {
        let signals = Signals::install().context("cannot listen for signals")?;
        let named = std::env::var_os(PROFILES_VARIABLE).map(PathBuf::from);
        let profiles = ProfilesFile::locate(named).ok();
        let cluster = settings.cluster.name.clone();
        let setup = Setup { settings, profiles };
        let ended = run(setup, signals.shutdown(), |started| {
            announce(started, &cluster);
        });
        ended
            .await
            .inspect_err(|error| tracing::error!(%error, "the coordinator ends"))?;
        tracing::info!("the coordinator has stopped");
        Ok(())
    })
}

/// Tells a person where it is, and after the very first start how others join.
fn announce(started: &Started, cluster: &str) {
    tracing::info!(
        addresses = ?started.addresses,
        cluster,
        data = %started.folder.display(),
        "the coordinator serves"
    );
    // A closed standard output is no reason not to serve.
    drop(writeln!(
        std::io::stdout(),
        "{}",
        welcome::text(started, cluster)
    ));
}
