//! Process trees on Windows: a Job Object that ends all its processes when its last handle is closed, so that nothing
//! outlives the worker whatever becomes of it.
//!
//! Windows has no gentle request to end that any program would hear: a tree is terminated at once.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use openclaw_runtime::platform::priority::LOW_PRIORITY_CREATION_FLAG;
use process_wrap::tokio::{ChildWrapper, CommandWrap, CreationFlags, JobObject, KillOnDrop};
use windows::Win32::System::Threading::PROCESS_CREATION_FLAGS;

use super::{Launch, Pipes};

/// No console window of its own.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// A job under its first process.
#[derive(Debug)]
pub(in super::super) struct Tree {
    child: Box<dyn ChildWrapper>,
    status: Option<ExitStatus>,
}

impl Tree {
    /// Starts a process in a job of its own. Must be called within the runtime.
    pub(in super::super) fn spawn(launch: Launch) -> io::Result<(Self, Pipes)> {
        let mut command = CommandWrap::with_new(&launch.program, |command| {
            command
                .args(&launch.args)
                .env_clear()
                .envs(&launch.env)
                .current_dir(&launch.dir);
            command
                .stdin(launch.stdin)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        });
        let priority = if launch.low_priority {
            LOW_PRIORITY_CREATION_FLAG
        } else {
            0
        };
        command.wrap(CreationFlags(PROCESS_CREATION_FLAGS(
            CREATE_NO_WINDOW | priority,
        )));
        command.wrap(KillOnDrop).wrap(JobObject);
        let mut child = command.spawn()?;
        let pipes = Pipes {
            stdout: child.stdout().take(),
            stderr: child.stderr().take(),
        };
        Ok((
            Self {
                child,
                status: None,
            },
            pipes,
        ))
    }

    /// Completes when the first process has ended. Can be dropped and asked again.
    pub(in super::super) async fn leader_ended(&mut self) {
        if self.status.is_none()
            && let Ok(status) = self.child.inner_mut().wait().await
        {
            self.status = Some(status);
        }
    }

    /// Whether the first process has ended at this moment.
    pub(in super::super) fn leader_has_ended(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status.is_some()
    }

    /// Ends everything in the job.
    #[expect(clippy::unused_async, reason = "on Unix it takes a while")]
    pub(in super::super) async fn ask_to_end(&mut self) {
        // It may have ended at this very moment.
        drop(self.child.start_kill());
    }

    /// Whether the first process has ended.
    #[expect(clippy::unused_async, reason = "on Unix it takes a while")]
    pub(in super::super) async fn has_ended(&mut self) -> bool {
        self.leader_has_ended()
    }

    /// Ends everything in the job and says whether nothing of it is left.
    pub(in super::super) async fn kill_and_verify(&mut self) -> bool {
        drop(self.child.start_kill());
        match tokio::time::timeout(Duration::from_millis(200), self.child.wait()).await {
            Ok(Ok(status)) => {
                self.status.get_or_insert(status);
                true
            }
            _ => false,
        }
    }

    /// How the first process ended.
    pub(in super::super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }
}
