//! Process trees on Unix: a process group, and whatever carries the attempt's mark outside it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openclaw_runtime::platform::priority;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::task::spawn_blocking;

use super::leader::Leader;
use super::processes::{self, Marked};
use super::{Launch, Pipes};

/// How long a tree that is dropped is waited for.
const DROP_PATIENCE: Duration = Duration::from_millis(100);

/// A process group under its leader. Dropped before it was verified gone, it is killed.
///
/// The leader stays unreaped until the group has been killed, where the system lets one wait without reaping: so long
/// nobody else can get its number, and a signal to the group hits nobody else.
#[derive(Debug)]
pub(in super::super) struct Tree {
    leader: Leader,
    mark: Arc<str>,
    started: Instant,
    asked_to_end: bool,
    gone: bool,
}

impl Tree {
    /// Starts a process as the leader of a group of its own. Must be called within the runtime; takes as long as a
    /// fork does.
    pub(in super::super) fn spawn(launch: Launch) -> io::Result<(Self, Pipes)> {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.args)
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.dir);
        command
            .stdin(launch.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Not `pre_exec`, which would cost the fast way of starting processes.
        command.process_group(0);
        let (leader, pipes) = Leader::spawn(command)?;
        if launch.low_priority
            && let Err(error) = priority::set_low_priority(leader.pid().as_raw_pid().unsigned_abs())
        {
            tracing::debug!(%error, "cannot lower the priority of a task");
        }
        let (mark, started) = (launch.mark.into(), Instant::now());
        Ok((
            Self {
                leader,
                mark,
                started,
                asked_to_end: false,
                gone: false,
            },
            pipes,
        ))
    }

    /// The group's number, which is its leader's.
    pub(in super::super) fn group(&self) -> Pid {
        self.leader.pid()
    }

    /// Completes when the leader has ended. Can be dropped and asked again.
    pub(in super::super) async fn leader_ended(&mut self) {
        self.leader.ended().await;
    }

    /// Whether the leader has ended at this moment.
    pub(in super::super) fn leader_has_ended(&self) -> bool {
        self.leader.has_ended()
    }

    /// Asks everything in the tree to end.
    pub(in super::super) async fn ask_to_end(&mut self) {
        self.asked_to_end = true;
        self.signal_group(Signal::TERM);
        let traces = self.traces();
        drop(spawn_blocking(move || traces.ask_strays_to_end()).await);
    }

    /// Whether nothing of the tree is alive, without killing anything.
    pub(in super::super) async fn has_ended(&self) -> bool {
        if !self.leader.has_ended() {
            return false;
        }
        let traces = self.traces();
        spawn_blocking(move || traces.are_cold())
            .await
            .unwrap_or(false)
    }

    /// Kills everything in the tree and says whether nothing of it is left.
    pub(in super::super) async fn kill_and_verify(&mut self) -> bool {
        self.signal_group(Signal::KILL);
        if !self.leader.reap() {
            return false;
        }
        let traces = self.traces();
        self.gone = if traces.age < processes::YOUNG && !traces.thorough {
            // A few reads of `/proc`: cheaper here than a way to another thread and back.
            traces.wipe()
        } else {
            spawn_blocking(move || traces.wipe()).await.unwrap_or(false)
        };
        self.gone
    }

    /// How the leader ended, once the tree was verified gone.
    pub(in super::super) fn status(&self) -> Option<ExitStatus> {
        self.leader.status()
    }

    /// Only while the leader's number cannot be anybody else's.
    fn signal_group(&self, signal: Signal) {
        if self.leader.status().is_none() {
            // The group may end at this very moment.
            let _ = kill_process_group(self.leader.pid(), signal);
        }
    }

    fn traces(&self) -> Traces {
        Traces {
            group: self.leader.pid(),
            mark: Arc::clone(&self.mark),
            age: self.started.elapsed(),
            thorough: self.asked_to_end,
            reaped: self.leader.status().is_some(),
        }
    }
}

/// What a tree can be recognised by. Everything here reads `/proc` and blocks as long as that takes.
#[derive(Debug)]
struct Traces {
    group: Pid,
    mark: Arc<str>,
    age: Duration,
    thorough: bool,
    reaped: bool,
}

impl Traces {
    fn marked(&self) -> Marked<'_> {
        Marked::Attempt(&self.mark)
    }

    fn strays(&self) -> Vec<Pid> {
        if self.thorough {
            self.marked().find()
        } else {
            self.marked().find_younger(self.group, self.age)
        }
    }

    fn group_is_gone(&self) -> bool {
        if test_kill_process_group(self.group) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        let members = processes::live_members(self.group);
        // With the leader reaped, a process of its number is a newcomer that leads a group of its own.
        members.is_empty() || (self.reaped && members.contains(&self.group))
    }

    /// Whether nothing is alive, now that the leader is not.
    fn are_cold(&self) -> bool {
        self.group_is_gone() && self.strays().is_empty()
    }

    /// Once is enough for the group's members: a second request makes some programs give up their clean-up.
    fn ask_strays_to_end(&self) {
        let outside = self
            .strays()
            .into_iter()
            .filter(|pid| processes::group_of(*pid) != Some(self.group));
        self.marked()
            .signal(&outside.collect::<Vec<_>>(), Signal::TERM);
    }

    /// Kills what is left and says whether there was nothing.
    fn wipe(&self) -> bool {
        let group_is_gone = self.group_is_gone();
        if !group_is_gone {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let strays = self.strays();
        self.marked().signal(&strays, Signal::KILL);
        group_is_gone && strays.is_empty()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        self.signal_group(Signal::KILL);
        // A moment for the kill to work, so that no dead process is left unreaped.
        let until = Instant::now() + DROP_PATIENCE;
        while !self.leader.reap() && Instant::now() < until {
            std::thread::yield_now();
        }
        if self.leader.status().is_some() {
            self.traces().wipe();
        }
    }
}
