//! A log file that is set aside when the day changes or it grows too large, and forgotten after some days.
//!
//! The current file is emptied, never renamed: `tail -f` goes on over midnight, on Windows as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// Most files kept beside the current one, whatever their age: with the default size, 2 GiB.
const MAX_KEPT: usize = 40;

/// How long after a failed rotation, in bytes written, it is tried again.
const RETRY_AFTER: u64 = 1024 * 1024;

/// Where log files are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The folder; made when missing.
    pub dir: PathBuf,
    /// Days after which a file set aside is deleted; 0 keeps none from earlier days.
    pub keep_days: u32,
    /// Bytes after which the current file is set aside.
    pub max_bytes: u64,
}

/// Writes `<dir>/<program>.log` and sets it aside as `<program>.<date>.<n>.log`.
#[derive(Debug)]
pub struct RotatingFile {
    program: String,
    rotation: Rotation,
    path: PathBuf,
    file: File,
    /// The day (UTC) of what the file holds.
    day: Date,
    written: u64,
    /// Size at which to rotate; raised past the limit while rotating fails.
    rotate_at: u64,
    today: fn() -> Date,
}

impl RotatingFile {
    /// Opens or goes on with the current file, and deletes files that are too old.
    pub fn open(program: &str, rotation: Rotation) -> io::Result<Self> {
        Self::open_at(program, rotation, || OffsetDateTime::now_utc().date())
    }

    fn open_at(program: &str, rotation: Rotation, today: fn() -> Date) -> io::Result<Self> {
        fs::create_dir_all(&rotation.dir)?;
        let path = rotation.dir.join(format!("{program}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let known = file.metadata()?;
        let day = match known.modified() {
            Ok(at) if known.len() > 0 => OffsetDateTime::from(at).date(),
            _ => today(),
        };
        let rotate_at = rotation.max_bytes.max(1);
        let written = known.len();
        let this = Self {
            program: program.to_owned(),
            rotation,
            path,
            file,
            day,
            written,
            rotate_at,
            today,
        };
        this.forget_old();
        Ok(this)
    }

    /// The current file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn rotate_if_due(&mut self, coming: usize) {
        let today = (self.today)();
        let coming = u64::try_from(coming).unwrap_or(u64::MAX);
        let too_large = self.written.saturating_add(coming) > self.rotate_at;
        if self.written == 0 || (today == self.day && !too_large) {
            if self.written == 0 {
                self.day = today;
            }
            return;
        }
        match self.set_aside() {
            Ok(()) => {
                self.written = 0;
                self.rotate_at = self.rotation.max_bytes.max(1);
            }
            // Nowhere to log it but here; a growing file says it too. Lines are worth more than their bounds.
            Err(_) => self.rotate_at = self.written.saturating_add(RETRY_AFTER),
        }
        self.day = today;
        self.forget_old();
    }

    /// Copies the current file beside itself and empties it.
    fn set_aside(&self) -> io::Result<()> {
        let date =
            date_text(self.day).ok_or_else(|| io::Error::other("a date beyond four digits"))?;
        let taken = kept_files(&self.rotation.dir, &self.program);
        let last = taken
            .iter()
            .filter(|kept| kept.date == self.day)
            .map(|kept| kept.number)
            .max()
            .unwrap_or(0);
        let aside = self.rotation.dir.join(format!(
            "{}.{date}.{}.log",
            self.program,
            last.saturating_add(1)
        ));
        fs::copy(&self.path, &aside).inspect_err(|_| drop(fs::remove_file(&aside)))?;
        self.file.set_len(0)
    }

    /// Deletes what is too old or too much. What cannot be deleted is tried again at the next rotation.
    fn forget_old(&self) {
        let keep = time::Duration::days(i64::from(self.rotation.keep_days));
        let oldest = (self.today)().checked_sub(keep).unwrap_or(Date::MIN);
        let mut kept = kept_files(&self.rotation.dir, &self.program);
        kept.sort_by_key(|file| std::cmp::Reverse((file.date, file.number)));
        for (place, file) in kept.iter().enumerate() {
            if file.date < oldest || place >= MAX_KEPT {
                drop(fs::remove_file(&file.path));
            }
        }
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rotate_if_due(bytes.len());
        let written = self.file.write(bytes)?;
        self.written = self
            .written
            .saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file set aside earlier.
struct Kept {
    path: PathBuf,
    date: Date,
    number: u32,
}

fn kept_files(dir: &Path, program: &str) -> Vec<Kept> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let of_name = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let rest = name
            .to_str()?
            .strip_prefix(program)?
            .strip_prefix('.')?
            .strip_suffix(".log")?;
        let (date, number) = rest.split_once('.')?;
        let date = Date::parse(date, format_description!("[year]-[month]-[day]")).ok()?;
        Some(Kept {
            path: entry.path(),
            date,
            number: number.parse().ok()?,
        })
    };
    entries.flatten().filter_map(of_name).collect()
}

fn date_text(date: Date) -> Option<String> {
    date.format(format_description!("[year]-[month]-[day]"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use time::macros::date;

    use super::*;

    thread_local! {
        static TODAY: Cell<Date> = const { Cell::new(date!(2030 - 05 - 01)) };
    }

    fn open(dir: &Path, keep_days: u32, max_bytes: u64) -> RotatingFile {
        let rotation = Rotation {
            dir: dir.to_owned(),
            keep_days,
            max_bytes,
        };
        RotatingFile::open_at("worker", rotation, || TODAY.with(Cell::get)).unwrap()
    }

    fn files(dir: &Path) -> Vec<(String, String)> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        };
        let mut all: Vec<_> = fs::read_dir(dir).unwrap().map(read).collect();
        all.sort();
        all
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_new_day_sets_the_old_one_aside_and_goes_on_in_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), 14, 1000);
        log.write_all(b"monday\n").unwrap();
        let mut follower = File::open(log.path()).unwrap();
        TODAY.set(date!(2030 - 05 - 02));
        log.write_all(b"tuesday\n").unwrap();
        let expected = pairs(&[
            ("worker.2030-05-01.1.log", "monday\n"),
            ("worker.log", "tuesday\n"),
        ]);
        assert_eq!(files(dir.path()), expected);
        let mut seen = String::new();
        io::Read::read_to_string(&mut follower, &mut seen).unwrap();
        assert_eq!(
            seen, "tuesday\n",
            "whoever had the file open still reads it"
        );
    }

    #[test]
    fn a_file_that_would_grow_too_large_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), 14, 8);
        for line in ["aaaa\n", "bbbb\n", "c\n", "longer than a file\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let expected = pairs(&[
            ("worker.2030-05-01.1.log", "aaaa\n"),
            ("worker.2030-05-01.2.log", "bbbb\nc\n"),
            ("worker.log", "longer than a file\n"),
        ]);
        assert_eq!(files(dir.path()), expected);
    }

    #[test]
    fn old_files_are_forgotten_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "worker.2030-04-01.1.log",
            "worker.2030-04-29.3.log",
            "coordinator.2020-01-01.1.log",
            "notes.txt",
        ];
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        drop(open(dir.path(), 14, 8));
        let left: Vec<_> = files(dir.path())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "coordinator.2020-01-01.1.log",
            "notes.txt",
            "worker.2030-04-29.3.log",
            "worker.log",
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn a_flood_keeps_only_so_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), 14, 1);
        for _ in 0..MAX_KEPT + 20 {
            log.write_all(b"x\n").unwrap();
        }
        assert_eq!(files(dir.path()).len(), MAX_KEPT + 1);
    }

    #[test]
    fn a_restart_goes_on_with_the_file_of_today() {
        let dir = tempfile::tempdir().unwrap();
        let today = OffsetDateTime::now_utc().date();
        TODAY.set(today);
        open(dir.path(), 14, 1000).write_all(b"one\n").unwrap();
        open(dir.path(), 14, 1000).write_all(b"two\n").unwrap();
        assert_eq!(files(dir.path()), pairs(&[("worker.log", "one\ntwo\n")]));
    }

    #[cfg(unix)]
    #[test]
    fn lines_go_on_when_setting_aside_fails() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), 14, 4);
        log.write_all(b"one\n").unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        log.write_all(b"two\n").unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(log.file.metadata().unwrap().len(), 14);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_for_the_caller_to_weigh() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let rotation = Rotation {
            dir: file.join("logs"),
            keep_days: 1,
            max_bytes: 1,
        };
        assert!(RotatingFile::open("worker", rotation).is_err());
    }
}
