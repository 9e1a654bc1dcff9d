//! One machine on paper: a folder with a home, and programs that see nothing else of the real user's.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::binaries::binaries_dir;
use super::leftovers::leftovers;

/// A folder for one test, gone with it unless `OPENCLAW_TEST_KEEP` is set or the test failed.
#[derive(Debug)]
pub struct Sandbox {
    dir: Option<TempDir>,
    path: PathBuf,
    bin: PathBuf,
}

impl Sandbox {
    /// A new one. Its path is short, real, and occurs nowhere else on the machine.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("openclaw-test-")
            .tempdir()
            .expect("a temporary folder");
        let path = dir.path().canonicalize().expect("its real path");
        std::fs::create_dir(path.join("home")).expect("a home");
        Self {
            dir: Some(dir),
            path,
            bin: binaries_dir(),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, made when missing.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).expect("a folder in the sandbox");
        path
    }

    /// One of the programs, with an environment that holds a PATH, this sandbox as HOME, and nothing else.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        self.clean(&mut command);
        command
    }

    /// Gives a command the sandbox's environment and folder.
    pub fn clean(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path.join("home"))
            .env("LANG", "C.UTF-8")
            .current_dir(&self.path);
    }

    /// The processes that run because of this test, as lines for people.
    pub fn leftovers(&self) -> Vec<String> {
        leftovers(&self.path)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whatever a failed test left behind must not disturb the next one.
        for line in self.leftovers() {
            let pid = line
                .split(' ')
                .next()
                .and_then(|pid| pid.parse().ok())
                .and_then(Pid::from_raw);
            if let Some(pid) = pid {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let keep = std::thread::panicking() || std::env::var_os("OPENCLAW_TEST_KEEP").is_some();
        if let Some(dir) = self.dir.take().filter(|_| keep) {
            eprintln!("kept for a look: {}", dir.keep().display());
        }
    }
}
