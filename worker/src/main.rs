//! `openclaw-worker`: reads the command line and hands over.

#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use openclaw_runtime::platform::hardening;
use openclaw_worker::args::{Cli, Command, JoinArgs, RunArgs, WhereArgs};
use openclaw_worker::executor::guardian;
use openclaw_worker::places::Places;
use openclaw_worker::{join, setup};

/// Threads for waiting on the network, processes and time; blocking work has its own.
const THREADS: usize = 2;
/// Something went wrong that trying again may mend.
const FAILED: u8 = 1;
/// The settings are wrong (`EX_CONFIG`).
const WRONG_SETTINGS: u8 = 78;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match cli.command {
        None => run(cli.run),
        Some(Command::Run(args)) => run(*args),
        Some(Command::Join(args)) => join(&args),
        Some(Command::Leave(args)) => leave(&args),
        Some(Command::Guardian) => {
            match guardian::run_guardian(io::stdin().lock(), io::stdout().lock()) {
                Ok(()) => 0,
                Err(error) => fail(FAILED, &error.into()),
            }
        }
    };
    ExitCode::from(code)
}

fn run(args: RunArgs) -> u8 {
    let places = match Places::load(args.worker.config.clone(), args.overrides()) {
        Ok(places) => places,
        Err(error) => return fail(WRONG_SETTINGS, &error),
    };
    // Before any thread exists, so that all of them and all that they start inherit it.
    let hardened = hardening::set_no_new_privileges().and(hardening::disable_core_dumps());
    let _telemetry = match setup::start_telemetry(&places) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(WRONG_SETTINGS, &error),
    };
    if let Err(error) = hardened {
        tracing::warn!(%error, "the worker could not limit its own rights");
    }
    match block_on(setup::run(places, args)) {
        Ok(exit) => exit.code(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the worker cannot run");
            FAILED
        }
    }
}

fn join(args: &JoinArgs) -> u8 {
    match places(&args.worker) {
        Ok(places) => finish(block_on(join::join(&places, args))),
        Err(code) => code,
    }
}

fn leave(args: &WhereArgs) -> u8 {
    match places(args) {
        Ok(places) => finish(join::leave(&places)),
        Err(code) => code,
    }
}

fn places(args: &WhereArgs) -> Result<Places, u8> {
    Places::load(args.config.clone(), args.overrides())
        .map_err(|error| fail(WRONG_SETTINGS, &error))
}

fn finish(done: anyhow::Result<()>) -> u8 {
    done.map_or_else(|error| fail(join::exit_code(&error), &error), |()| 0)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?
        .block_on(work)
}

fn fail(code: u8, error: &anyhow::Error) -> u8 {
    // Standard error may be closed; the exit code still tells.
    drop(writeln!(io::stderr(), "openclaw-worker: {error:#}"));
    code
}
