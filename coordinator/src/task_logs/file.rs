//! One attempt's file: records of (stream, offset, length, bytes), appended and never changed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use openclaw_proto::v1;
use tokio::sync::watch;

/// Stream, offset, length.
const HEADER: usize = 1 + 8 + 4;
/// The record that says: the attempt has ended and everything was sent.
const LAST: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
/// Longest piece taken in; longer ones are cut into several records.
const PIECE: usize = 64 * 1024;
/// Bytes kept of one stream: what a worker sends at most, and some room.
const KEPT: u64 = 16 * 1024 * 1024 + 64 * 1024;

/// How far the two streams have come: everything before is kept or was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// Standard output.
    pub stdout: u64,
    /// Standard error.
    pub stderr: u64,
    /// The worker has said that nothing more will come.
    pub last: bool,
}

impl Ends {
    fn of(&mut self, stream: u8) -> &mut u64 {
        if stream == STDERR {
            &mut self.stderr
        } else {
            &mut self.stdout
        }
    }
}

/// The log of one attempt. Its calls block on the disk.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Open for appending; made with the first piece.
    file: Option<File>,
    /// Bytes of whole records.
    len: u64,
    ends: Ends,
    kept: [u64; 2],
}

impl Log {
    /// The log at this path; what is there is scanned, and a record that broke off is cut away.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let state = match File::open(path) {
            Ok(file) => scan(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
        })
    }

    /// How far it has come.
    pub fn ends(&self) -> Ends {
        self.lock().ends
    }

    /// Changes whenever something was added.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Adds pieces; what was added before is skipped. Returns how far it has come.
    pub fn append(&self, chunks: &[v1::LogChunk], last: bool) -> io::Result<Ends> {
        let mut state = self.lock();
        let mut records = Vec::new();
        let (mut ends, mut kept) = (state.ends, state.kept);
        for chunk in chunks {
            let stream = match v1::LogStream::try_from(chunk.stream) {
                Ok(v1::LogStream::Stdout) => STDOUT,
                Ok(v1::LogStream::Stderr) => STDERR,
                _ => continue,
            };
            let fresh = fresh_part(chunk, *ends.of(stream));
            let mut offset = chunk
                .offset
                .saturating_add(length(chunk.data.len() - fresh.len()));
            for piece in fresh.chunks(PIECE) {
                let kept = &mut kept[usize::from(stream == STDERR)];
                if *kept + length(piece.len()) <= KEPT {
                    *kept += length(piece.len());
                    put_record(&mut records, stream, offset, piece);
                }
                offset = offset.saturating_add(length(piece.len()));
                *ends.of(stream) = offset;
            }
        }
        if last && !ends.last {
            put_record(&mut records, LAST, 0, &[]);
            ends.last = true;
        }
        state.write(&self.path, &records)?;
        (state.ends, state.kept) = (ends, kept);
        drop(state);
        self.changes.send_modify(|version| *version += 1);
        Ok(ends)
    }

    /// Reads records from a place in the file on, about `limit` bytes: the pieces, and the place after them.
    pub fn read(&self, from: u64, limit: usize) -> io::Result<(Vec<v1::LogChunk>, u64)> {
        let len = self.lock().len;
        if from >= len {
            return Ok((Vec::new(), from));
        }
        let mut file = BufReader::new(File::open(&self.path)?);
        file.seek(SeekFrom::Start(from))?;
        let (mut at, mut found, mut bytes) = (from, Vec::new(), 0);
        while at < len && bytes < limit {
            let (stream, offset, size) = header(&mut file)?;
            let mut data = vec![0; size];
            file.read_exact(&mut data)?;
            at += length(HEADER + size);
            bytes += size;
            let stream = match stream {
                STDOUT => v1::LogStream::Stdout,
                STDERR => v1::LogStream::Stderr,
                _ => continue,
            };
            found.push(v1::LogChunk {
                stream: stream.into(),
                offset,
                data: Bytes::from(data),
            });
        }
        Ok((found, at))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A write that failed leaves the state as it was before it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, path: &Path, records: &[u8]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open_at(path, self.len)?,
        };
        // After an error the file is opened anew, which cuts off what was half written.
        file.write_all(records)?;
        self.file = Some(file);
        self.len += length(records.len());
        Ok(())
    }
}

/// The file, cut to its whole records, at its end.
fn open_at(path: &Path, len: u64) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    file.set_len(len)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// The part of a piece that begins at or after `end`.
fn fresh_part(chunk: &v1::LogChunk, end: u64) -> &[u8] {
    let skip = usize::try_from(end.saturating_sub(chunk.offset)).unwrap_or(usize::MAX);
    chunk.data.get(skip..).unwrap_or_default()
}

fn put_record(records: &mut Vec<u8>, stream: u8, offset: u64, data: &[u8]) {
    records.push(stream);
    records.extend_from_slice(&offset.to_be_bytes());
    records.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
    records.extend_from_slice(data);
}

fn header(file: &mut impl io::Read) -> io::Result<(u8, u64, usize)> {
    let mut bytes = [0; HEADER];
    file.read_exact(&mut bytes)?;
    let [stream, rest @ ..] = bytes;
    let (mut offset, mut size) = ([0; 8], [0; 4]);
    offset.copy_from_slice(&rest[..8]);
    size.copy_from_slice(&rest[8..]);
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > PIECE || stream > STDERR {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a record of a task's log",
        ));
    }
    Ok((stream, u64::from_be_bytes(offset), size))
}

/// Walks over the records. Whatever follows the last whole one is not counted.
fn scan(file: File) -> io::Result<State> {
    let total = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut state = State::default();
    while let Ok((stream, offset, size)) = header(&mut file) {
        let next = state.len + length(HEADER + size);
        if next > total {
            break;
        }
        file.seek_relative(i64::try_from(size).unwrap_or(i64::MAX))?;
        state.len = next;
        if stream == LAST {
            state.ends.last = true;
        } else {
            let end = state.ends.of(stream);
            *end = offset.saturating_add(length(size)).max(*end);
            state.kept[usize::from(stream == STDERR)] += length(size);
        }
    }
    Ok(state)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(stream: v1::LogStream, offset: u64, text: &str) -> v1::LogChunk {
        v1::LogChunk {
            stream: stream.into(),
            offset,
            data: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    fn text(log: &Log) -> String {
        let (chunks, _) = log.read(0, usize::MAX).unwrap();
        chunks
            .iter()
            .map(|chunk| String::from_utf8_lossy(&chunk.data).into_owned())
            .collect()
    }

    #[test]
    fn pieces_sent_twice_are_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&dir.path().join("a/log")).unwrap();
        log.append(&[piece(v1::LogStream::Stdout, 0, "hello ")], false)
            .unwrap();
        let ends = log
            .append(&[piece(v1::LogStream::Stdout, 3, "lo world")], false)
            .unwrap();
        assert_eq!(text(&log), "hello world");
        assert_eq!((ends.stdout, ends.stderr, ends.last), (11, 0, false));
    }

    #[test]
    fn a_log_goes_on_where_it_was_after_a_restart_even_with_a_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::open(&path).unwrap();
        log.append(&[piece(v1::LogStream::Stderr, 0, "one")], false)
            .unwrap();
        drop(log);
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(&[1, 0, 0]).unwrap();
        let log = Log::open(&path).unwrap();
        assert_eq!(log.ends().stderr, 3);
        log.append(&[piece(v1::LogStream::Stderr, 3, "two")], true)
            .unwrap();
        assert_eq!(text(&log), "onetwo");
        assert!(Log::open(&path).unwrap().ends().last);
    }

    #[test]
    fn a_stream_over_its_bound_is_dropped_but_counted() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&dir.path().join("log")).unwrap();
        let big = "x".repeat(1024 * 1024);
        let mut offset = 0;
        for _ in 0..20 {
            log.append(&[piece(v1::LogStream::Stdout, offset, &big)], false)
                .unwrap();
            offset += length(big.len());
        }
        assert_eq!(log.ends().stdout, offset);
        let size = std::fs::metadata(dir.path().join("log")).unwrap().len();
        assert!(size < KEPT + 1024 * 1024, "{size}");
    }

    #[test]
    fn reading_goes_on_from_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&dir.path().join("log")).unwrap();
        log.append(
            &[
                piece(v1::LogStream::Stdout, 0, "one"),
                piece(v1::LogStream::Stdout, 9, "two"),
            ],
            false,
        )
        .unwrap();
        let (first, place) = log.read(0, 1).unwrap();
        let (second, end) = log.read(place, 1).unwrap();
        assert_eq!(
            (first.len(), second[0].offset),
            (1, 9),
            "a jump tells of what was dropped"
        );
        assert_eq!(log.read(end, 1).unwrap().0, []);
    }
}
