//! Runs the program as a user would, with a home of its own.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

/// No run of the program may take longer.
const LIMIT: Duration = Duration::from_mins(1);

/// A home directory and the coordinator's address.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    addr: Option<String>,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new(addr: impl Into<Option<String>>) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            addr: addr.into(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw-cluster"));
        command
            .args(line)
            .current_dir(self.path())
            .env(
                "OPENCLAW_CLUSTER_PROFILES",
                self.path().join("home/profiles.json"),
            )
            .env_remove("OPENCLAW_CLUSTER_TOKEN")
            .env_remove("OPENCLAW_CLUSTER_ADDR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(addr) = &self.addr {
            command.env("OPENCLAW_CLUSTER_ADDR", addr);
        }
        command
    }

    pub(crate) async fn run(&self, line: &[&str]) -> Ran {
        finish(self.command(line).spawn().unwrap()).await
    }
}

pub(crate) async fn finish(child: Child) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .expect("the program ends in time")
        .unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// Standard output as the one document it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "`{text}` is missing on standard error: {self:?}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text),
            "`{text}` is missing on standard output: {self:?}"
        );
        self
    }
}
