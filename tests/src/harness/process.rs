//! One program that runs: its output in a file, its end certain.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// What a process can be told.
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use super::wait::until_within;

/// A child in a process group of its own, killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    console: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is added to the file `console`.
    pub fn start(name: &str, mut command: Command, console: &Path) -> Self {
        let out = append_to(console);
        let err = out.try_clone().expect("a second handle");
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            console: console.to_owned(),
        }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it, and those before it with the same file, printed.
    pub fn console(&self) -> String {
        std::fs::read_to_string(&self.console).unwrap_or_default()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Sends a signal to the program alone. Fine when it has ended.
    pub fn signal(&self, signal: Signal) {
        // Of no consequence: it may have ended by itself, and its id is not another's before it is waited for.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to end and waits; the test fails when it doesn't within `limit`.
    pub async fn end(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(limit).await
    }

    /// Waits for its end; the test fails when it doesn't come within `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until_within(limit, &what, async || self.ended()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // One that was stopped dies of this too.
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let text = self.console();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!(
                "--- the last lines of {} ---\n{}",
                self.name,
                tail.join("\n")
            );
        }
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a file for the output")
}
