//! The start and stop scripts, in a copy of the project, with the programs built already.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use openclaw_tests::harness::{Process, Sandbox, binaries_dir, checkout, free_port, until_within};

const LIMIT: Duration = Duration::from_secs(90);

struct Project {
    sandbox: Sandbox,
    path: PathBuf,
    port: u16,
}

impl Project {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let path = checkout(&sandbox);
        Self {
            sandbox,
            path,
            port: free_port(),
        }
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("bash");
        self.sandbox.clean(&mut command);
        command
            .arg(self.path.join("scripts").join(name))
            .args(arguments);
        command
            .env("OPENCLAW_BIN_DIR", binaries_dir())
            .env("OPENCLAW__COORDINATOR__PORT", self.port.to_string());
        command
    }

    fn start(&self, name: &str, arguments: &[&str], console: &str) -> Process {
        Process::start(name, self.script(name, arguments), &self.path.join(console))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_runs_a_task_and_leaves_nothing_running() {
    let project = Project::new();
    let mut script = project.start("quick_start.sh", &["--once"], "once");
    let status = script.wait(LIMIT).await;
    let text = script.console();
    assert!(status.success(), "{status}:\n{text}");
    for wanted in [
        "run text-stats --input README.md",
        "\"words\"",
        "NODE",
        "logs/coordinator.log",
        "stopped",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is missing in:\n{text}");
    }
    assert_eq!(project.sandbox.leftovers(), Vec::<String>::new());

    // Again in the same folder: it goes on with the same store.
    let mut again = project.start("quick_start.sh", &["--once"], "again");
    assert!(again.wait(LIMIT).await.success(), "{}", again.console());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_until_it_is_stopped_and_starts_only_once() {
    let project = Project::new();
    let mut script = project.start("quick_start.sh", &[], "first");
    until_within(LIMIT, "the cluster to run", async || {
        assert!(script.ended().is_none(), "{}", script.console());
        script
            .console()
            .contains("Ctrl-C stops the cluster")
            .then_some(())
    })
    .await;

    let mut second = project.start("quick_start.sh", &[], "second");
    assert!(!second.wait(LIMIT).await.success());
    assert!(
        second.console().contains("already running"),
        "{}",
        second.console()
    );

    let mut stop = project.start("stop.sh", &[], "stop");
    assert!(stop.wait(LIMIT).await.success(), "{}", stop.console());
    assert!(stop.console().contains("stopped"), "{}", stop.console());
    assert!(script.wait(LIMIT).await.success(), "{}", script.console());
    assert_eq!(project.sandbox.leftovers(), Vec::<String>::new());

    let mut nothing = project.start("stop.sh", &[], "nothing");
    assert!(nothing.wait(LIMIT).await.success());
    assert!(
        nothing.console().contains("nothing to stop"),
        "{}",
        nothing.console()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_said_clearly() {
    let project = Project::new();
    let taken = std::net::TcpListener::bind(("0.0.0.0", project.port)).expect("the port");
    let mut script = project.start("quick_start.sh", &["--once"], "taken");
    assert!(!script.wait(LIMIT).await.success());
    let text = script.console();
    assert!(
        text.contains("in use") && text.contains(&project.port.to_string()),
        "{text}"
    );
    drop(taken);
    assert_eq!(project.sandbox.leftovers(), Vec::<String>::new());
}
