//! Coordinators and workers: their folder, their settings, and the process that runs now.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::http::Http;
use super::ports::free_port;
use super::process::{Process, Signal};
use super::sandbox::Sandbox;
use super::settings::Settings;
use super::wait::until;

/// How long a program may take to end when asked to.
const END: Duration = Duration::from_secs(45);

/// How often another port is tried when somebody took the free one.
const PORTS: usize = 5;

/// A coordinator: what is left of it when its process dies, and the process.
#[derive(Debug)]
pub struct Coordinator {
    dir: PathBuf,
    settings: Settings,
    host: String,
    port: u16,
    process: Option<Process>,
}

impl Coordinator {
    /// One that has not started, with a folder in the sandbox, listening on `host`.
    pub fn new(sandbox: &Sandbox, host: &str, settings: Settings) -> Self {
        let dir = sandbox.folder("coordinator");
        Self {
            dir,
            settings,
            host: host.to_owned(),
            port: 0,
            process: None,
        }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it listens: `host:port`. The port is known from the first start on.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The token it wrote.
    pub fn token(&self) -> String {
        let path = self.token_file();
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim().to_owned()
    }

    /// Where it keeps the token.
    pub fn token_file(&self) -> PathBuf {
        self.dir.join("data/coordinator/token")
    }

    /// The configuration file it was started with last.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.settings.set(key, value);
    }

    /// Its process. The test fails when there is none.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the coordinator was started")
    }

    /// Starts it and waits until it is ready. Starting it again keeps its port and its store.
    pub async fn start(&mut self, sandbox: &Sandbox) {
        let fixed = self.port != 0;
        for _ in 0..PORTS {
            if !fixed {
                self.port = free_port();
            }
            self.launch(sandbox);
            if self.ready().await {
                return;
            }
            let console = self.process().console();
            let taken = console.contains("in use");
            assert!(
                taken && !fixed,
                "the coordinator ended at its start:\n{console}"
            );
        }
        panic!("no free port in {PORTS} tries");
    }

    /// Starts it, and does not wait.
    pub fn launch(&mut self, sandbox: &Sandbox) {
        let settings = Settings::default()
            .with("storage.path", "data/cluster.db")
            .with("coordinator.host", self.host.as_str())
            .with("coordinator.port", self.port)
            .with(
                "log.level",
                std::env::var("OPENCLAW_TEST_LOG").unwrap_or_else(|_| "INFO".to_owned()),
            )
            .and(&self.settings);
        let mut command = sandbox.program("openclaw-coordinator");
        command.arg("--config").arg(settings.write(&self.dir));
        self.process = Some(Process::start(
            "coordinator",
            command,
            &self.dir.join("console"),
        ));
    }

    /// Until it answers that it is ready; `false` when it ended instead.
    async fn ready(&mut self) -> bool {
        let http = Http::new(&self.address(), None);
        let process = self.process.as_mut().expect("just launched");
        until("the coordinator to be ready", async || {
            if process.ended().is_some() {
                return Some(false);
            }
            let status = http.get("/readyz").await.ok()?.0;
            (status == 200).then_some(true)
        })
        .await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// Asks it to end and waits until it has, in good order.
    pub async fn end(&mut self) {
        let status = self.process().end(END).await;
        assert!(
            status.success(),
            "the coordinator ended with {status}:\n{}",
            self.process().console()
        );
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process().signal(signal);
    }
}

/// A worker: what is left of it when its process dies, and the process.
#[derive(Debug)]
pub struct Worker {
    name: String,
    dir: PathBuf,
    settings: Settings,
    token: Option<String>,
    process: Option<Process>,
}

impl Worker {
    /// One that has not started, with a folder in the sandbox.
    pub fn new(sandbox: &Sandbox, name: &str, settings: Settings, token: Option<String>) -> Self {
        let dir = sandbox.folder(&format!("worker-{name}"));
        std::fs::create_dir_all(dir.join("skills")).expect("a folder for skills");
        Self {
            name: name.to_owned(),
            dir,
            settings,
            token,
            process: None,
        }
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its skills are.
    pub fn skills(&self) -> PathBuf {
        self.dir.join("skills")
    }

    /// Its process. The test fails when there is none.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the worker was started")
    }

    /// Starts it; whether it is online shows in the cluster.
    pub fn launch(&mut self, sandbox: &Sandbox) {
        let settings = Settings::default()
            .with("worker.node_id", self.name.as_str())
            .with("worker.skills_dir", "skills")
            .with("worker.data_dir", "data")
            .with(
                "log.level",
                std::env::var("OPENCLAW_TEST_LOG").unwrap_or_else(|_| "INFO".to_owned()),
            )
            .and(&self.settings);
        let mut command = sandbox.program("openclaw-worker");
        command.arg("--config").arg(settings.write(&self.dir));
        if let Some(token) = &self.token {
            command.env("OPENCLAW_CLUSTER_TOKEN", token);
        }
        let name = format!("worker {}", self.name);
        self.process = Some(Process::start(&name, command, &self.dir.join("console")));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// Asks it to end and waits until it has, in good order.
    pub async fn end(&mut self) {
        let status = self.process().end(END).await;
        assert!(
            status.success(),
            "the worker ended with {status}:\n{}",
            self.process().console()
        );
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.process().signal(signal);
    }
}
