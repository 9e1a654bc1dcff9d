//! The first process of a tree: how its end is noticed, and when it is reaped.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::process::{ChildStderr, ChildStdout};

use super::Pipes;
use super::processes::ExitWatch;

/// What stands for a status that the system did not tell: exit code 255.
const LOST: i32 = 0xff00;

/// A child process and, once it was reaped, its status.
#[derive(Debug)]
pub(super) struct Leader {
    child: Child,
    pid: Pid,
    status: Option<ExitStatus>,
}

#[derive(Debug)]
enum Child {
    /// Its end is seen without reaping it.
    Watched(std::process::Child, ExitWatch),
    /// Its end is only seen by reaping it.
    Waited(tokio::process::Child),
}

impl Leader {
    /// Starts it; the command has its output piped.
    pub(super) fn spawn(command: Command) -> io::Result<(Self, Pipes)> {
        let (child, pid, pipes) = if ExitWatch::is_supported() {
            spawn_watched(command)?
        } else {
            spawn_waited(command)?
        };
        Ok((
            Self {
                child,
                pid,
                status: None,
            },
            pipes,
        ))
    }

    /// Its number; as long as it is not reaped, nobody else's.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, once it was reaped.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Completes when it has ended. Can be dropped and asked again.
    pub(super) async fn ended(&mut self) {
        if self.status.is_some() {
            return;
        }
        match &mut self.child {
            Child::Watched(_, watch) => watch.ended().await,
            Child::Waited(child) => {
                self.status = Some(child.wait().await.unwrap_or_else(|_| lost()));
            }
        }
    }

    /// Whether it has ended at this moment. Does not reap it.
    pub(super) fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is no such child any more.
        self.status.is_some() || !matches!(waitid(WaitId::Pid(self.pid), look), Ok(None))
    }

    /// Reaps it if it has ended. Whether it is reaped now.
    pub(super) fn reap(&mut self) -> bool {
        if self.status.is_none() {
            let reaped = match &mut self.child {
                Child::Watched(child, _) => child.try_wait(),
                Child::Waited(child) => child.try_wait(),
            };
            self.status = reaped.unwrap_or_else(|_| Some(lost()));
        }
        self.status.is_some()
    }
}

fn spawn_watched(mut command: Command) -> io::Result<(Child, Pid, Pipes)> {
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    match watch(&mut child, pid) {
        Ok((watch, pipes)) => Ok((Child::Watched(child, watch), pid, pipes)),
        Err(error) => {
            // Without a watch it must not run.
            drop(child.kill());
            drop(child.wait());
            Err(error)
        }
    }
}

fn spawn_waited(command: Command) -> io::Result<(Child, Pid, Pipes)> {
    let mut child = tokio::process::Command::from(command).spawn()?;
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number was started"))?;
    let pipes = Pipes {
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
    };
    Ok((Child::Waited(child), pid, pipes))
}

fn watch(child: &mut std::process::Child, pid: Pid) -> io::Result<(ExitWatch, Pipes)> {
    let stdout = child.stdout.take().map(ChildStdout::from_std).transpose()?;
    let stderr = child.stderr.take().map(ChildStderr::from_std).transpose()?;
    Ok((ExitWatch::new(pid)?, Pipes { stdout, stderr }))
}

fn lost() -> ExitStatus {
    ExitStatus::from_raw(LOST)
}
