//! The command line as its user meets it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::sandbox::Sandbox;

/// `openclaw-cluster` in a sandbox.
#[derive(Clone, Debug)]
pub struct Cli<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

/// What one call came to.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl<'a> Cli<'a> {
    /// Without any variable that names a coordinator.
    pub fn new(sandbox: &'a Sandbox) -> Self {
        Self {
            sandbox,
            folder: sandbox.path().to_owned(),
            variables: Vec::new(),
        }
    }

    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref().to_owned();
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    /// Called from this folder.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// The command, to be changed further.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.program("openclaw-cluster");
        command
            .args(arguments)
            .envs(self.variables.iter().cloned())
            .current_dir(&self.folder);
        command
    }

    /// Calls it and waits for its end, on a thread of its own.
    pub async fn call(&self, arguments: &[&str]) -> Answer {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("the thread ends");
        Answer::from(output.expect("openclaw-cluster starts"))
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Answer {
    /// Standard output as JSON; the test fails when it is none, or when the exit code differs.
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The same answer; the test fails when the exit code differs.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is the point, the answer an extra"
    )]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}
