//! A store as one file: every committed row, whichever engine holds it. Import into an empty store is repair,
//! compaction and change of engine at once.
//!
//! `magic (8) | rows: key length (4) | value length (4) | key | value … | 0xffffffff | count (8) | crc32 of all before (4)`,
//! integers big-endian. Values are as stored, each with a checksum of its own.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use openclaw_runtime::platform::files;

use super::engine::{Change, Engine, Ops, View};
use super::error::StoreError;
use super::load;
use super::read::damaged;
use super::record::{envelope, key};
use super::rows::RowStore;

const MAGIC: &[u8; 8] = b"OCSTORE1";
const FOOTER: u32 = u32::MAX;
/// No key and no value is longer.
const LONGEST: u32 = 1024 * 1024;
/// Rows applied in one step of an import.
const STEP: usize = 1_000;

type KeyValue = (Vec<u8>, Vec<u8>);

/// Writes all committed rows of `store` to `file`, through a temporary file beside it.
pub(super) fn write<E: Engine>(store: &mut RowStore<E>, file: &Path) -> Result<u64, StoreError> {
    let commit = store.committed().ok_or(StoreError::Closed)?;
    let temporary = temporary(file);
    let failed = |source| StoreError::io(file, "export to", source);
    let count = File::create(&temporary).map_err(failed).and_then(|out| {
        let mut out = Summed::new(BufWriter::new(out));
        let count = write_rows(store, commit, &mut out, file)?;
        let out = out
            .inner
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        out.sync_all().map_err(failed)?;
        Ok(count)
    });
    let renamed = count.and_then(|count| {
        fs::rename(&temporary, file).map_err(failed)?;
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        files::sync_dir(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        Ok(count)
    });
    if renamed.is_err() {
        // The first error is the one worth telling; a left-over temporary file harms nobody.
        drop(fs::remove_file(&temporary));
    }
    renamed
}

fn temporary(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

fn write_rows<E: Engine, W: Write>(
    store: &RowStore<E>,
    commit: u64,
    out: &mut Summed<W>,
    file: &Path,
) -> Result<u64, StoreError> {
    let failed = |source| StoreError::io(file, "export to", source);
    let rows = store.rows();
    let mut count = 0_u64;
    out.put(MAGIC).map_err(failed)?;
    rows.view.visit(&load::everything(), &mut |at, value| {
        let row = envelope::open(at, value).map_err(|wrong| damaged(rows.path, at, &wrong))?;
        if row.commit <= commit {
            count += 1;
            out.row(at, value).map_err(failed)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    out.put(&FOOTER.to_be_bytes()).map_err(failed)?;
    out.put(&count.to_be_bytes()).map_err(failed)?;
    let sum = out.sum.clone().finalize();
    out.put(&sum.to_be_bytes()).map_err(failed)?;
    Ok(count)
}

/// Fills the empty `store` with the rows of `file`. The rows under `m/` come last: what was broken off is no store.
pub(super) fn read<E: Engine>(store: &mut RowStore<E>, file: &Path) -> Result<u64, StoreError> {
    if store.committed().is_some() || !load::is_empty(&store.rows())? {
        let path = store.engine.path().to_owned();
        return Err(StoreError::NotEmpty { path });
    }
    let mut rows = ExportFile::open(file)?;
    let mut last = Vec::new();
    // Commit 0: an import is no commit, and none is known to be durable until it is loaded.
    let mut step = Ops::default();
    while let Some((at, value)) = rows.next()? {
        if at.starts_with(key::META) {
            last.push(Change::Put(at, value));
            continue;
        }
        step.adds.push((at, value));
        if step.adds.len() == STEP {
            store.apply(std::mem::take(&mut step))?;
        }
    }
    step.changes = last;
    store.apply(step)?;
    Ok(rows.count)
}

/// A writer that sums up what went through it.
struct Summed<W> {
    inner: W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Summed<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            sum: crc32fast::Hasher::new(),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.inner.write_all(bytes)
    }

    fn row(&mut self, at: &[u8], value: &[u8]) -> io::Result<()> {
        for part in [at, value] {
            let length = u32::try_from(part.len())
                .ok()
                .filter(|length| *length <= LONGEST);
            let length = length.ok_or_else(|| io::Error::other("a row is too long to export"))?;
            self.put(&length.to_be_bytes())?;
        }
        self.put(at)?;
        self.put(value)
    }
}

/// An export that is read.
struct ExportFile {
    path: PathBuf,
    input: BufReader<File>,
    sum: crc32fast::Hasher,
    count: u64,
}

impl ExportFile {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let input =
            File::open(path).map_err(|source| StoreError::io(path, "import from", source))?;
        let mut file = Self {
            path: path.to_owned(),
            input: BufReader::new(input),
            sum: crc32fast::Hasher::new(),
            count: 0,
        };
        if file.take::<8>()? == *MAGIC {
            Ok(file)
        } else {
            Err(file.bad("it does not begin like one"))
        }
    }

    fn bad(&self, detail: &str) -> StoreError {
        StoreError::BadExport {
            path: self.path.clone(),
            detail: detail.to_owned(),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.input
            .read_exact(bytes)
            .map_err(|source| match source.kind() {
                io::ErrorKind::UnexpectedEof => self.bad("it is cut short"),
                _ => StoreError::io(&self.path, "import from", source),
            })?;
        self.sum.update(bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn part(&mut self, length: u32) -> Result<Vec<u8>, StoreError> {
        let length = usize::try_from(length.min(LONGEST)).unwrap_or_default();
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next row; `None` after the last, when the file is whole.
    fn next(&mut self) -> Result<Option<KeyValue>, StoreError> {
        let key_length = u32::from_be_bytes(self.take()?);
        if key_length == FOOTER {
            return self.footer().map(|()| None);
        }
        let value_length = u32::from_be_bytes(self.take()?);
        if key_length.max(value_length) > LONGEST {
            return Err(self.bad("a row has an impossible length"));
        }
        let row = (self.part(key_length)?, self.part(value_length)?);
        if let Err(wrong) = envelope::open(&row.0, &row.1) {
            return Err(self.bad(&format!("row {}: {wrong}", key::shown(&row.0))));
        }
        self.count += 1;
        Ok(Some(row))
    }

    fn footer(&mut self) -> Result<(), StoreError> {
        let count = u64::from_be_bytes(self.take()?);
        let sum = self.sum.clone().finalize();
        if count != self.count || u32::from_be_bytes(self.take()?) != sum {
            return Err(self.bad("its rows do not add up"));
        }
        Ok(())
    }
}
