//! One of the two programs while it runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use openclaw_runtime::fsx;
use tokio::process::{Child, Command};

use super::{platform, programs};
use crate::failure::Failure;

/// Most lines of a child's output that an error shows.
const TAIL_LINES: usize = 12;
/// Most bytes of a child's output that are read for an error.
const TAIL_LIMIT: u64 = 1024 * 1024;

/// A started program; it is killed when this is dropped.
pub(super) struct Program {
    name: &'static str,
    child: Child,
    output: PathBuf,
}

impl Program {
    /// Starts `name` in `dir` with `settings` in its environment; what it prints goes to `<dir>/logs/<name>.out`.
    pub(super) fn start(
        name: &'static str,
        dir: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let path = programs::find(name)?;
        let logs = dir.join("logs");
        let output = logs.join(format!("{name}.out"));
        let opened = std::fs::create_dir_all(&logs).and_then(|()| File::create(&output));
        let (out, err) = opened
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| {
                Failure::local(
                    "DEV_DIR",
                    format!("cannot write {}: {error}", output.display()),
                )
                .hint("name another folder with --dir")
            })?;
        let mut command = Command::new(&path);
        command
            .current_dir(dir)
            // Of another cluster, should they be set.
            .env_remove("OPENCLAW_CLUSTER_ADDR")
            .env_remove("OPENCLAW_CLUSTER_TOKEN")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true);
        platform::prepare(&mut command);
        let child = command.spawn().map_err(|error| {
            Failure::local("START", format!("cannot start {}: {error}", path.display()))
        })?;
        Ok(Self {
            name,
            child,
            output,
        })
    }

    /// Completes when the program has ended by itself.
    pub(super) async fn ended(&mut self) -> Failure {
        let how = match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => format!("cannot be watched: {error}"),
        };
        self.failure(&how)
    }

    /// A failure with the last lines that the program printed.
    pub(super) fn failure(&self, what: &str) -> Failure {
        let tail = self.tail();
        let said = if tail.is_empty() {
            String::new()
        } else {
            format!(":\n{tail}")
        };
        Failure::local("DEV", format!("{} {what}{said}", self.name))
            .hint(format!("all it printed: {}", self.output.display()))
    }

    fn tail(&self) -> String {
        let text = fsx::read_bounded(&self.output, TAIL_LIMIT).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        lines
            .iter()
            .skip(from)
            .map(|line| format!("  | {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Asks the program to stop in good order; on Windows, Ctrl-C has asked already.
    pub(super) fn ask_to_stop(&self) -> bool {
        platform::ask_to_stop(&self.child)
    }

    /// The program's name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it ends within a time.
    pub(super) async fn ends_within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.child.wait()).await.is_ok()
    }

    /// Waits for the end; past `patience` it is made to end.
    pub(super) async fn finish(&mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.child.wait())
            .await
            .is_err()
        {
            // It may have ended this very moment; then there is nothing left to kill.
            drop(self.child.kill().await);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "was ended by a signal".to_owned(),
    }
}
