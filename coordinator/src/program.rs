//! The program round `run`: its flags, its log, and how it tells an error.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Parser;
use openclaw_config::{ConfigError, Loaded, Loader, LogFormat, Overrides, Settings};
use openclaw_runtime::telemetry::{self, Format, Options, Rotation, Telemetry, TelemetryError};

/// Decides where tasks run, and keeps what is known of them.
#[derive(Debug, Parser)]
#[command(name = "openclaw-coordinator", version)]
pub struct Args {
    /// Settings file [default: ./config/config.yaml or ./config.yaml when there is one]
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
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// `json` or `text`
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Args {
    /// The settings: these flags over the environment over the file over the defaults.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let db_path = self.db_path.as_ref().map(|path| path.display());
        let overrides = Overrides::new()
            .with("--host", "coordinator.host", self.host.as_ref())
            .with("--port", "coordinator.port", self.port)
            .with("--db-path", "storage.path", db_path)
            .with("--log-level", "log.level", self.log_level.as_ref())
            .with("--log-format", "log.format", self.log_format.as_ref());
        Loader::of_process(self.config.clone(), overrides)?.load()
    }
}

/// Logs to standard error and to `<log.dir>/coordinator.log`.
pub fn start_log(settings: &Settings) -> Result<Telemetry, TelemetryError> {
    let log = &settings.log;
    telemetry::init(&Options {
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
    })
}

/// An error with those of its causes that it doesn't tell itself.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("no space");
        let error = anyhow::Error::new(cause).context("cannot write: no space");
        assert_eq!(told(&error), "cannot write: no space");
        assert_eq!(
            told(&error.context("cannot start")),
            "cannot start: cannot write: no space"
        );
    }
}
