//! The worker's program, started in a directory of its own with an environment of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::coordinator::{PATIENCE, TOKEN};

/// Directory and settings of a worker; may be started several times.
pub(crate) struct Program {
    pub(crate) dir: tempfile::TempDir,
    address: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) settings: Vec<(String, String)>,
}

/// A running worker. Killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Program {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("skills")).unwrap();
        Self {
            dir,
            address,
            token: Some(TOKEN.to_owned()),
            settings: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.settings
            .push((format!("OPENCLAW__{key}"), value.to_owned()));
        self
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data/worker/tester")
    }

    /// Results on disk.
    pub(crate) fn spooled(&self) -> usize {
        let files = std::fs::read_dir(self.data_dir().join("spool"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .filter(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension == "result")
            })
            .count()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("logs/worker.log")).unwrap_or_default()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw-worker"));
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .envs(self.settings.iter().cloned())
            .envs(
                self.token
                    .iter()
                    .map(|token| ("OPENCLAW_CLUSTER_TOKEN", token)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn start(&self) -> Running {
        let (host, port) = (
            self.address.ip().to_string(),
            self.address.port().to_string(),
        );
        let mut command = self.command();
        command.args([
            "--node-id",
            "tester",
            "--coordinator-host",
            &host,
            "--coordinator-port",
            &port,
        ]);
        Running {
            child: command.spawn().unwrap(),
        }
    }

    /// Waits until the log holds a text.
    pub(crate) async fn logged(&self, text: &str) {
        wait_for(|| self.log().contains(text)).await;
    }
}

impl Running {
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("no exit in time")
            .unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it has ended").to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

/// Waits for a condition, with a deadline.
pub(crate) async fn wait_for(mut condition: impl FnMut() -> bool) {
    let all = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("the condition did not come true in time");
}

/// Everything that a command prints, with its exit.
pub(crate) async fn output(mut command: Command) -> (ExitStatus, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut lines = BufReader::new(out).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        text.push_str(&line);
        text.push('\n');
    }
    let mut lines = BufReader::new(err).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        text.push_str(&line);
        text.push('\n');
    }
    (child.wait().await.unwrap(), text)
}
