//! The guardian on Unix: its worker's side and its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openclaw_runtime::identity::boot_id;
use rustix::process::{Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::super::tree::Tree;
use super::super::tree::processes::{self, Marked};
use super::ledger::{self, Entry, Header, Ledger, Slot};
use super::{GuardianCommand, GuardianError, empty_folder, random_mark};

const LEDGER: &str = "ledger";

/// How long killing left-over processes is tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a worker that ends in order says last: then there is nothing to be found.
const FAREWELL: &[u8] = b"bye\n";

/// Looks that must find nothing after a worker that died: it may have been just about to start a process, which has
/// its mark only a moment later.
const LOOKS: u32 = 5;

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The worker's side. Clones share it; when the last is dropped, the guardian ends, killing what still runs.
#[derive(Debug, Clone)]
pub struct Guardian {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    run: String,
    ledger: Ledger,
    folder: PathBuf,
    command: GuardianCommand,
    child: Mutex<Child>,
}

/// What a guardian is told in its first line.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    run: String,
    ledger: PathBuf,
}

impl Guardian {
    /// Kills what a former worker with this data directory left running, removes its attempts' directories, and starts
    /// a guardian for what this one will run. Blocks, for seconds when there is much to kill: call it at the start.
    pub fn start(data_dir: &Path, command: GuardianCommand) -> Result<Self, GuardianError> {
        let folder = data_dir.join("run");
        let path = folder.join(LEDGER);
        reap(&path)?;
        empty_folder(&folder, LEDGER)?;
        let run = random_mark()?;
        let header = Header {
            run: run.clone(),
            boot: boot_id(),
        };
        let ledger = Ledger::create(&path, &header).map_err(|source| GuardianError::Folder {
            path: path.clone(),
            source,
        })?;
        let child = Mutex::new(spawn(
            &command,
            &Orders {
                run: run.clone(),
                ledger: path,
            },
        )?);
        Ok(Self {
            inner: Arc::new(Inner {
                run,
                ledger,
                folder,
                command,
                child,
            }),
        })
    }

    /// The folder for attempts' directories; empty but for the ledger when the guardian was started.
    pub(in super::super) fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// What the mark of every process of this run begins with.
    pub(in super::super) fn run(&self) -> &str {
        &self.inner.run
    }

    /// Notes that a group runs, until the slot is dropped. A guardian that somebody ended is replaced.
    pub(in super::super) fn enter(&self, tree: &Tree) -> io::Result<Slot> {
        self.replace_if_dead();
        let group = tree.group();
        let start = processes::start_of(group).unwrap_or(0);
        self.inner.ledger.enter(Entry { group, start })
    }

    /// The guardian's process number.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    fn replace_if_dead(&self) {
        let mut child = self.child();
        if !matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        let orders = Orders {
            run: self.inner.run.clone(),
            ledger: self.inner.folder.join(LEDGER),
        };
        match spawn(&self.inner.command, &orders) {
            Ok(new) => {
                tracing::warn!("the guardian process had ended and was started again");
                *child = new;
            }
            Err(error) => {
                tracing::error!(%error, "the guardian process has ended: what runs now may outlive the worker");
            }
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        // The child is replaced in one step.
        self.inner
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Closing the pipe ends the guardian; it has little to do when all attempts have ended.
        if let Some(mut pipe) = child.stdin.take() {
            drop(pipe.write_all(FAREWELL));
        }
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The guardian's side: waits until its orders' sender is gone, then kills what that left running. `stdin` and
/// `stdout` are those of the process. Returns when nothing is left or ten seconds have passed.
pub fn run_guardian(stdin: impl Read, mut stdout: impl Write) -> io::Result<()> {
    // A session of its own: what the terminal sends to the worker's group must not end the guardian first. It fails
    // only when the process leads a group, which then is no terminal's foreground group.
    let _ = rustix::process::setsid();
    let mut stdin = BufReader::new(stdin);
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    let orders: Orders = serde_json::from_str(&line)?;
    stdout.write_all(b"ready\n")?;
    stdout.flush()?;
    drop(stdout);
    // This returns when the worker is gone.
    let mut last_words = Vec::new();
    stdin.read_to_end(&mut last_words)?;
    let looks = if last_words == FAREWELL { 1 } else { LOOKS };
    let entries = ledger::read(&orders.ledger)
        .filter(|(header, _)| header.run == orders.run)
        .map(|(_, entries)| entries)
        .unwrap_or_default();
    kill_all(&orders.run, &entries, looks);
    Ok(())
}

fn spawn(command: &GuardianCommand, orders: &Orders) -> Result<Child, GuardianError> {
    let failed = |source| GuardianError::Start {
        program: command.program.clone(),
        source,
    };
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    match give_orders(&mut child, orders) {
        Ok(()) => Ok(child),
        Err(error) => {
            drop(child.kill());
            drop(child.wait());
            Err(failed(error))
        }
    }
}

fn give_orders(child: &mut Child, orders: &Orders) -> io::Result<()> {
    let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "it ended at once");
    let mut line = serde_json::to_vec(orders)?;
    line.push(b'\n');
    child.stdin.as_mut().ok_or_else(gone)?.write_all(&line)?;
    // From here on it is out of the terminal's reach.
    let mut answers = BufReader::new(child.stdout.take().ok_or_else(gone)?);
    let mut answer = String::new();
    while answer.trim() != "ready" {
        answer.clear();
        if answers.read_line(&mut answer)? == 0 {
            return Err(gone());
        }
    }
    Ok(())
}

/// Kills what the ledger of a former worker names, and what carries its mark.
fn reap(path: &Path) -> Result<(), GuardianError> {
    let Some((header, entries)) = ledger::read(path) else {
        return Ok(());
    };
    if header.boot != boot_id() {
        return Ok(());
    }
    match kill_all(&header.run, &entries, 1) {
        0 => Ok(()),
        count => Err(GuardianError::Leftovers { count }),
    }
}

/// Kills these groups and every process of the run, until that many looks in a row found none. How many are left.
fn kill_all(run: &str, entries: &[Entry], mut looks: u32) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut left = 0;
        for entry in entries.iter().filter(|entry| is_same(entry, run)) {
            left += 1;
            let _ = kill_process_group(entry.group, Signal::KILL);
        }
        let marked = Marked::Run(run).find();
        Marked::Run(run).signal(&marked, Signal::KILL);
        left += marked.len();
        if left == 0 {
            looks -= 1;
        }
        if looks == 0 || Instant::now() >= until {
            return left;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether a group that has live members is still the one that was noted.
fn is_same(entry: &Entry, run: &str) -> bool {
    let members = processes::live_members(entry.group);
    if members.is_empty() {
        return false;
    }
    match processes::start_of(entry.group) {
        Some(start) => start == entry.start,
        // The leader is gone. While its group lives, nobody else gets its number; but others may have had it since.
        None => members
            .iter()
            .any(|member| Marked::Run(run).find().contains(member)),
    }
}
