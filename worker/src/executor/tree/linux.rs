//! What Linux tells of processes in `/proc`: their state, their group and the mark in their environment.
//!
//! A process that left its group is still found by the mark, unless it emptied its environment.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::environ::MARK;

/// Most process numbers that are looked up one by one instead of listing all processes.
const FEW: i32 = 256;

/// For younger processes the numbers given out since then cannot have gone round.
pub(super) const YOUNG: Duration = Duration::from_millis(250);

/// Largest environment that is searched, more than the kernel lets one have.
const ENVIRON_LIMIT: u64 = 8 * 1024 * 1024;

/// How often an environment that is empty because its process is just being replaced is read again.
const EMPTY_READS: usize = 3;

/// Tells when a process has ended, without reaping it.
#[derive(Debug)]
pub(super) struct ExitWatch(AsyncFd<OwnedFd>);

impl ExitWatch {
    /// Whether this kernel has such handles (5.3 and later).
    pub(super) fn is_supported() -> bool {
        static SUPPORTED: LazyLock<bool> =
            LazyLock::new(|| pidfd_open(getpid(), PidfdFlags::NONBLOCK).is_ok());
        *SUPPORTED
    }

    /// A watch on a child that has not been reaped.
    pub(super) fn new(pid: Pid) -> io::Result<Self> {
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "its heir is unsafe; an OwnedFd stays open as long as the watch"
        )]
        AsyncFd::with_interest(fd, Interest::READABLE).map(Self)
    }

    /// Completes when the process has ended.
    pub(super) async fn ended(&self) {
        // An error comes only from a runtime that is going away; then whoever waits is dropped.
        if self.0.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// One letter.
    state: u8,
    /// Its process group.
    group: i32,
    /// When it started, in ticks since the machine did.
    start: u64,
    /// Whether it has memory of its own: threads of the kernel and dying processes have none.
    has_memory: bool,
}

impl Stat {
    fn is_alive(self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

/// The group of a process.
pub(super) fn group_of(pid: Pid) -> Option<Pid> {
    Pid::from_raw(stat(pid)?.group)
}

/// When a process started, on a clock of the machine's own that starts anew with it.
pub(in super::super) fn start_of(pid: Pid) -> Option<u64> {
    Some(stat(pid)?.start)
}

fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&read_line(&format!("/proc/{pid}/stat"))?)
}

/// A file of one short line, in one read: what asks for the size first costs twice as much.
fn read_line(path: &str) -> Option<Vec<u8>> {
    let mut line = vec![0; 1024];
    let length = File::open(path).ok()?.read(&mut line).ok()?;
    line.truncate(length);
    Some(line)
}

fn parse_stat(text: &[u8]) -> Option<Stat> {
    // The name in parentheses may hold anything, parentheses too.
    let after = text.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<_> = std::str::from_utf8(&text[after..])
        .ok()?
        .split_ascii_whitespace()
        .collect();
    let memory: u64 = fields.get(20)?.parse().ok()?;
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        has_memory: memory > 0,
    })
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
    /// Whether this process, or what it was copied from, was started with the mark.
    fn is_on(self, pid: Pid) -> bool {
        for _ in 0..EMPTY_READS {
            let environ = environ(pid);
            if !environ.is_empty() {
                return environ
                    .split(|byte| *byte == 0)
                    .any(|entry| self.matches(entry));
            }
            // Between two programs a process has no environment for a moment.
            if !stat(pid).is_some_and(|stat| stat.is_alive() && stat.has_memory) {
                return false;
            }
            std::thread::yield_now();
        }
        false
    }

    fn matches(self, entry: &[u8]) -> bool {
        let value = entry
            .strip_prefix(MARK.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="));
        match (self, value) {
            (_, None) => false,
            (Self::Attempt(mark), Some(value)) => value == mark.as_bytes(),
            (Self::Run(run), Some(value)) => value
                .strip_prefix(run.as_bytes())
                .is_some_and(|rest| rest.first() == Some(&b'.')),
        }
    }

    /// Every live process that carries the mark.
    pub(in super::super) fn find(self) -> Vec<Pid> {
        all().filter(|pid| self.is_on(*pid)).collect()
    }

    /// [`Marked::find`] for what a process started `age` ago may have left behind: a descendant's number was given
    /// out after its ancestor's, so that after a short life there are few to look at.
    pub(super) fn find_younger(self, ancestor: Pid, age: Duration) -> Vec<Pid> {
        let first = ancestor.as_raw_pid().saturating_add(1);
        match last_pid() {
            Some(last) if age < YOUNG && last >= first - 1 && last - first < FEW => (first..=last)
                .filter_map(Pid::from_raw)
                .filter(|pid| self.is_on(*pid))
                .collect(),
            _ => self.find(),
        }
    }

    /// Signals these processes, as far as they still carry the mark: numbers are used again.
    pub(in super::super) fn signal(self, pids: &[Pid], signal: Signal) {
        for pid in pids {
            if let Ok(fd) = pidfd_open(*pid, PidfdFlags::empty()) {
                if self.is_on(*pid) {
                    let _ = pidfd_send_signal(fd, signal);
                }
            } else if self.is_on(*pid) {
                // An old kernel without such handles.
                let _ = rustix::process::kill_process(*pid, signal);
            }
        }
    }
}

/// The live members of a process group.
pub(in super::super) fn live_members(group: Pid) -> Vec<Pid> {
    let is_member = |stat: Stat| stat.group == group.as_raw_pid() && stat.is_alive();
    all()
        .filter(|pid| stat(*pid).is_some_and(is_member))
        .collect()
}

/// All processes but this one.
fn all() -> impl Iterator<Item = Pid> {
    let own = getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(move |pid| *pid != own)
}

/// Empty for threads of the kernel, the dead and the processes of others.
fn environ(pid: Pid) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/environ")) {
        drop(file.take(ENVIRON_LIMIT).read_to_end(&mut bytes));
    }
    bytes
}

/// The process number given out last.
fn last_pid() -> Option<i32> {
    let line = String::from_utf8(read_line("/proc/loadavg")?).ok()?;
    line.split_ascii_whitespace()
        .nth(4)?
        .parse()
        .ok()
        .filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_state() {
        let tail = " S 1 77 77 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 9000 1";
        let stat = parse_stat(format!("5 (a ) R (b) {}", tail.trim_start()).as_bytes()).unwrap();
        assert_eq!(
            (stat.state, stat.group, stat.start, stat.has_memory),
            (b'S', 77, 4242, true)
        );
        assert_eq!(parse_stat(b"5 (half"), None);
    }

    #[test]
    fn processes_are_found_by_their_mark_and_only_by_it() {
        let start = |mark: &str| {
            Command::new("sleep")
                .arg("60")
                .env(MARK, mark)
                .stdout(Stdio::null())
                .spawn()
                .expect("sleep exists")
        };
        let own = getpid().as_raw_pid();
        let (run, attempt) = (format!("test{own}"), format!("test{own}.7.1"));
        let mut children = [
            start(&attempt),
            start(&format!("test{own}.7.12")),
            start(&format!("test{own}x.7.1")),
        ];
        let pids = |found: Vec<Pid>| found.into_iter().map(Pid::as_raw_pid).collect::<Vec<_>>();
        let ids: Vec<_> = children
            .iter()
            .map(|child| i32::try_from(child.id()).unwrap())
            .collect();
        let exact = pids(Marked::Attempt(&attempt).find());
        let young = pids(Marked::Attempt(&attempt).find_younger(getpid(), Duration::ZERO));
        let mut whole = pids(Marked::Run(&run).find());
        Marked::Run(&run).signal(&Marked::Run(&run).find(), Signal::KILL);
        let ended = children[0].wait().unwrap();
        for child in &mut children {
            drop(child.kill());
            child.wait().unwrap();
        }
        whole.sort_unstable();
        let mut expected = ids[..2].to_vec();
        expected.sort_unstable();
        assert_eq!(
            (exact, young, whole),
            (vec![ids[0]], vec![ids[0]], expected)
        );
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&ended),
            Some(9)
        );
        assert!(Marked::Run(&run).find().is_empty());
    }
}
