//! What macOS and its like tell of processes: the twin of `linux.rs`, with the same names.
//!
//! Looking at every process's environment is too slow here to do it after every attempt: strays outside the group are
//! searched for when something is ended by force, by the guardian and at the next start.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::super::environ::MARK;

/// Strays of younger processes are not searched for.
pub(super) const YOUNG: Duration = Duration::MAX;

/// These systems have no handle to wait on without reaping.
#[derive(Debug)]
pub(super) struct ExitWatch(());

impl ExitWatch {
    /// They have none.
    pub(super) fn is_supported() -> bool {
        false
    }

    /// Never made.
    pub(super) fn new(_pid: Pid) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never asked.
    pub(super) async fn ended(&self) {
        std::future::pending::<()>().await;
    }
}

/// The group of a process.
pub(super) fn group_of(pid: Pid) -> Option<Pid> {
    rustix::process::getpgid(Some(pid)).ok()
}

/// When a process started, in seconds.
pub(in super::super) fn start_of(pid: Pid) -> Option<u64> {
    let pid = sysinfo::Pid::from_u32(u32::try_from(pid.as_raw_pid()).ok()?);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        true,
        ProcessRefreshKind::nothing(),
    );
    system.process(pid)?.start_time().into()
}

/// The group's number when it has members that can be signalled: dead ones that nobody has reaped cannot.
pub(in super::super) fn live_members(group: Pid) -> Vec<Pid> {
    if test_kill_process_group(group).is_ok() {
        vec![group]
    } else {
        Vec::new()
    }
}

/// Which marks are looked for.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Marked<'a> {
    /// One attempt's own.
    Attempt(&'a str),
    /// That of any attempt of a worker's run.
    Run(&'a str),
}

impl Marked<'_> {
    /// Every process that carries the mark.
    pub(in super::super) fn find(self) -> Vec<Pid> {
        let what = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
        let Ok(mut system) = System::new() else {
            return Vec::new();
        };
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        let own = std::process::id();
        let marked = system.processes().iter().filter(|(pid, process)| {
            pid.as_u32() != own
                && process
                    .environ()
                    .iter()
                    .any(|entry| self.matches(&entry.to_string_lossy()))
        });
        marked
            .filter_map(|(pid, _)| Pid::from_raw(i32::try_from(pid.as_u32()).ok()?))
            .collect()
    }

    /// Nothing after a short life; see the module's words.
    #[expect(clippy::unused_self, reason = "as on Linux")]
    pub(super) fn find_younger(self, _ancestor: Pid, _age: Duration) -> Vec<Pid> {
        Vec::new()
    }

    /// Signals these processes.
    #[expect(
        clippy::unused_self,
        reason = "as on Linux, where numbers are checked again"
    )]
    pub(in super::super) fn signal(self, pids: &[Pid], signal: Signal) {
        for pid in pids {
            let _ = kill_process(*pid, signal);
        }
    }

    fn matches(self, entry: &str) -> bool {
        let value = entry
            .strip_prefix(MARK)
            .and_then(|rest| rest.strip_prefix('='));
        value.is_some_and(|value| match self {
            Self::Attempt(mark) => value == mark,
            Self::Run(run) => value
                .strip_prefix(run)
                .is_some_and(|rest| rest.starts_with('.')),
        })
    }
}
