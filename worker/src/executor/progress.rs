//! The progress file: lines that a process appends, of which the last whole one counts.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

/// Most that is read at a time; of more, the end counts.
const READ: u64 = READ_LEN as u64;
const READ_LEN: usize = 64 * 1024;

/// Longest message in bytes.
const MESSAGE: usize = 1024;

/// What a process told of its progress.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    /// 0 to 100.
    pub(super) percent: Option<f64>,
    /// At most 1 KiB.
    pub(super) message: String,
}

/// What has become of the file since it was last looked at.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// It has grown: a sign of life, whatever was written.
    pub(super) grown: bool,
    /// The last well-formed line among those that are new.
    pub(super) report: Option<Report>,
}

/// The file, and how far it has been read.
#[derive(Debug)]
pub(super) struct ProgressFile {
    path: PathBuf,
    read: u64,
    partial: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    percent: Option<f64>,
    #[serde(default)]
    message: Option<String>,
}

impl ProgressFile {
    /// A file that need not exist.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: 0,
            partial: Vec::new(),
        }
    }

    /// Reads what is new. Blocks on the disk. A file that cannot be read tells nothing.
    pub(super) fn poll(&mut self) -> News {
        let Some((mut file, size)) = self.open() else {
            return News::default();
        };
        if size == self.read {
            return News::default();
        }
        if size < self.read {
            // It was written anew.
            (self.read, self.partial) = (0, Vec::new());
        }
        if size - self.read > READ {
            (self.read, self.partial) = (size - READ, Vec::new());
        }
        let mut new = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.read))
            .and_then(|_| file.take(READ).read_to_end(&mut new));
        let Ok(count) = read else {
            return News::default();
        };
        self.read += u64::try_from(count).unwrap_or(u64::MAX);
        if self.partial.len() > READ_LEN {
            // A line without end: what it would say is lost, what follows it is not.
            self.partial.clear();
        }
        self.partial.extend_from_slice(&new);
        News {
            grown: count > 0,
            report: self.last_report(),
        }
    }

    fn open(&self) -> Option<(File, u64)> {
        let meta = std::fs::symlink_metadata(&self.path).ok()?;
        // Anything but a plain file could make a reader wait for ever.
        if !meta.is_file() {
            return None;
        }
        let file = OpenOptions::new().read(true).open(&self.path).ok()?;
        Some((file, meta.len()))
    }

    /// The last line that is whole and well formed; keeps what follows the last line's end.
    fn last_report(&mut self) -> Option<Report> {
        let end = self.partial.iter().rposition(|byte| *byte == b'\n')?;
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        lines.rsplit(|byte| *byte == b'\n').find_map(parse)
    }
}

fn parse(line: &[u8]) -> Option<Report> {
    // A list would do for the reader of JSON, but is no report.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let percent = line
        .percent
        .filter(|percent| percent.is_finite())
        .map(|percent| percent.clamp(0.0, 100.0));
    let mut message = line.message.unwrap_or_default();
    let end = (0..=MESSAGE.min(message.len()))
        .rev()
        .find(|at| message.is_char_boundary(*at))
        .unwrap_or(0);
    message.truncate(end);
    Some(Report { percent, message })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf, ProgressFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("progress");
        (dir, path.clone(), ProgressFile::new(path))
    }

    fn append(path: &PathBuf, text: &[u8]) {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap()
            .write_all(text)
            .unwrap();
    }

    #[test]
    fn the_last_whole_line_counts_and_half_a_line_waits_for_its_end() {
        let (_dir, path, mut file) = file();
        assert_eq!(file.poll(), News::default());
        append(
            &path,
            b"{\"percent\": 10}\n{\"percent\": 140, \"message\": \"two\"}\n{\"perc",
        );
        let report = file.poll().report.unwrap();
        assert_eq!(
            report,
            Report {
                percent: Some(100.0),
                message: "two".into()
            }
        );
        assert_eq!(file.poll(), News::default());
        append(&path, b"ent\": 50}\n");
        assert_eq!(file.poll().report.unwrap().percent, Some(50.0));
    }

    #[test]
    fn nonsense_is_a_sign_of_life_and_no_report() {
        let (_dir, path, mut file) = file();
        append(&path, b"working...\n\xff\n[1]\n");
        assert_eq!(
            file.poll(),
            News {
                grown: true,
                report: None
            }
        );
    }

    #[test]
    fn a_file_written_anew_is_read_from_its_beginning() {
        let (_dir, path, mut file) = file();
        append(&path, b"{\"percent\": 10, \"message\": \"long enough\"}\n");
        file.poll();
        std::fs::write(&path, b"{\"percent\": 20}\n").unwrap();
        assert_eq!(file.poll().report.unwrap().percent, Some(20.0));
    }

    #[test]
    fn an_endless_line_and_a_huge_file_cost_bounded_memory() {
        let (_dir, path, mut file) = file();
        for _ in 0..64 {
            append(&path, &vec![b'x'; 100_000]);
            assert!(file.poll().grown);
            assert!(file.partial.len() <= 2 * READ_LEN, "{}", file.partial.len());
        }
        append(
            &path,
            &[
                &vec![b'y'; 1_000_000][..],
                b"\n{\"message\": \"",
                &vec![b'z'; 3000],
                b"\"}\n",
            ]
            .concat(),
        );
        assert_eq!(file.poll().report.unwrap().message.len(), MESSAGE);
    }
}
