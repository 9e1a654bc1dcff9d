//! The ledger: which process groups are running, in a file that outlives the worker. Lines of fixed width: a header
//! that names the worker's run, then one line per slot, blank when free.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openclaw_runtime::platform::files;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Bytes of the header, its end of line included.
const HEADER: usize = 256;

/// Bytes of a slot, its end of line included.
const SLOT: usize = 64;

/// Slots that the file has room for from the start, so that a full disk does not matter.
const SLOTS: u64 = 1024;

/// Largest ledger that is read: no worker has a million attempts at once.
const READ_LIMIT: u64 = 64 * 1024 * 1024;

/// Which run of a worker a ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The mark in the environment of all its processes.
    pub(super) run: String,
    /// The start of the machine: process numbers mean nothing after the next one.
    pub(super) boot: String,
}

/// A process group that was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub(super) group: Pid,
    /// When its leader started, as [`start_of`](super::super::tree::processes::start_of) tells; 0 when unknown.
    pub(super) start: u64,
}

/// The file under the worker's hand. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u64>,
    used: u64,
}

/// A line in the ledger, blanked when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Slot {
    ledger: Ledger,
    number: u64,
}

impl Ledger {
    /// A new ledger at `path`, in place of any old one.
    pub(super) fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let file = files::owner_only(&mut options).open(path)?;
        let mut content = line(&serde_json::to_string(header)?, HEADER)?;
        for _ in 0..SLOTS {
            content.extend(line("", SLOT)?);
        }
        file.write_all_at(&content, 0)?;
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                slots: Mutex::default(),
            }),
        })
    }

    /// Notes a running group until the slot is dropped.
    pub(super) fn enter(&self, entry: Entry) -> io::Result<Slot> {
        let number = {
            let mut slots = self.slots();
            slots.free.pop().unwrap_or_else(|| {
                slots.used += 1;
                slots.used - 1
            })
        };
        let slot = Slot {
            ledger: self.clone(),
            number,
        };
        let text = format!("{} {}", entry.group.as_raw_pid(), entry.start);
        self.inner
            .file
            .write_all_at(&line(&text, SLOT)?, offset(number))?;
        Ok(slot)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // A push or a pop does not panic half way.
        self.inner
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let blanked = line("", SLOT).and_then(|blank| {
            self.ledger
                .inner
                .file
                .write_all_at(&blank, offset(self.number))
        });
        if let Err(error) = blanked {
            // Harmless: the group is gone, and its leader's start tells it from any later one.
            tracing::debug!(%error, "cannot blank a line of the ledger");
        }
        self.ledger.slots().free.push(self.number);
    }
}

/// What a ledger says; `None` when there is none or it is not one. Lines half written are left out.
pub(super) fn read(path: &Path) -> Option<(Header, Vec<Entry>)> {
    let bytes = openclaw_runtime::fsx::read_bounded(path, READ_LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let header = serde_json::from_str(lines.next()?.trim_end()).ok()?;
    let entries = lines.filter_map(|line| {
        let (group, start) = line.trim_end().split_once(' ')?;
        let group = Pid::from_raw(group.parse().ok().filter(|group| *group > 1)?)?;
        Some(Entry {
            group,
            start: start.parse().ok()?,
        })
    });
    Some((header, entries.collect()))
}

fn offset(slot: u64) -> u64 {
    HEADER as u64 + slot * SLOT as u64
}

fn line(text: &str, width: usize) -> io::Result<Vec<u8>> {
    if text.len() >= width {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too long for a line of the ledger",
        ));
    }
    Ok(format!("{text:<0$}\n", width - 1).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(group: i32) -> Entry {
        Entry {
            group: Pid::from_raw(group).unwrap(),
            start: 77,
        }
    }

    #[test]
    fn the_ledger_holds_exactly_what_is_running_and_uses_its_lines_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let header = Header {
            run: "ab".into(),
            boot: "cd".into(),
        };
        let ledger = Ledger::create(&path, &header).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        let first = ledger.enter(entry(1000)).unwrap();
        let _second = ledger.enter(entry(1001)).unwrap();
        drop(first);
        let _third = ledger.enter(entry(1002)).unwrap();
        assert_eq!(read(&path), Some((header, vec![entry(1002), entry(1001)])));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
    }

    #[test]
    fn more_attempts_than_lines_make_the_file_grow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::create(
            &path,
            &Header {
                run: String::new(),
                boot: String::new(),
            },
        )
        .unwrap();
        let held: Vec<_> = (0..1100)
            .map(|number| ledger.enter(entry(2000 + number)).unwrap())
            .collect();
        assert_eq!(read(&path).unwrap().1.len(), held.len());
    }

    #[test]
    fn damage_is_no_entry_and_never_the_first_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        assert_eq!(read(&path), None);
        std::fs::write(&path, "no header\n5 5\n").unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(
            &path,
            "{\"run\":\"a\",\"boot\":\"b\"}\n1 5\n-7 5\n0 0\nx y\n70 \n71 9\n72",
        )
        .unwrap();
        assert_eq!(
            read(&path).unwrap().1,
            vec![Entry {
                group: Pid::from_raw(71).unwrap(),
                start: 9
            }]
        );
    }
}
