//! The store in one SQLite database.
//!
//! One table of rows in the order of their keys; one transaction per commit; a write-ahead log that is on the disk when
//! a commit returns. Reads have a connection of their own and never wait for a commit. SQLite takes a damaged log for
//! the end of the log, so the last durable commit is noted beside it, as for sled.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openclaw_runtime::fsx;
use openclaw_runtime::platform::files;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior};

use super::engine::{Change, Engine, Ops, Span, View, Visit};
use super::error::StoreError;
use super::place::{Found, beside, hold, owner_only, parent};
use super::rows::RowStore;
use super::traits::{Limits, Start, Store};
use super::witness::Witness;

/// How long a statement waits for another program that looks into the database, such as the sqlite3 shell.
const PATIENCE: Duration = Duration::from_secs(10);
/// A checkpoint waits less: commits wait behind it, and it can be made up for.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(100);
/// SQLite empties its log by itself from about 4 MiB on, as far as readers let it. From here on readers are waited for.
const LOG_BYTES: u64 = 32 * 1024 * 1024;
/// Says in the header of the file whose database it is: `OCLW`.
const APPLICATION: i32 = 0x4f43_4c57;

/// Everything that is not a default. The pragmas that empty a disk's own cache are for macOS, and nothing elsewhere.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 33554432;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cache_size = -16384;";

const GET: &str = "SELECT value FROM rows WHERE key = ?1";
const PUT: &str = "INSERT OR REPLACE INTO rows (key, value) VALUES (?1, ?2)";
const DELETE: &str = "DELETE FROM rows WHERE key = ?1";
const FORWARDS: &str = "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key";
const BACKWARDS: &str =
    "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC";

/// Opens the store in the file `path`, made when missing, for its owner alone. A directory, or a file of something
/// else, is refused by name.
pub(super) fn open(path: &Path, start: Start) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(RowStore::new(engine(path)?, start)))
}

/// The engine alone.
pub(super) fn engine(path: &Path) -> Result<Sqlite, StoreError> {
    let opening = |source| StoreError::io(path, "open", source);
    // SQLite follows links and keeps its log beside the file itself: so do we with ours.
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let lock = beside(&file, "-lock");
    // Closing a descriptor gives up all locks that SQLite holds in this process on the same file. So nobody looks
    // into the file while it may be open here; and nothing is left beside a file that is refused.
    if !lock.exists() {
        check_place(path)?;
    }
    if let Some(folder) = parent(&file) {
        fsx::create_owner_only_dir(folder).map_err(opening)?;
    }
    // SQLite would let several processes take turns; a store has one owner.
    let lock = Arc::new(hold(path, &lock)?);
    check_place(path)?;
    let noted = beside(&file, "-committed");
    for made in [&file, &noted] {
        drop(owner_only(made).map_err(opening)?);
    }
    let witness = Witness::open(&noted).map_err(opening)?;
    let writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&writer, path)?;
    let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    for folder in [parent(&file), parent(&file).and_then(parent)] {
        files::sync_dir(folder.unwrap_or(Path::new("."))).map_err(opening)?;
    }
    Ok(Sqlite {
        writer,
        witness,
        log: beside(&file, "-wal"),
        log_bytes: LOG_BYTES,
        view: SqliteView(Arc::new(Reading {
            connection: Mutex::new(reader),
            path: path.to_owned(),
            _lock: Arc::clone(&lock),
        })),
        path: path.to_owned(),
        _lock: lock,
    })
}

fn check_place(path: &Path) -> Result<(), StoreError> {
    match Found::at(path)? {
        Found::Nothing | Found::EmptyFile | Found::Sqlite => Ok(()),
        other => Err(other.refused(path, "sqlite")),
    }
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let connected = || {
        // A connection is used by one thread at a time; a name is a name and never a URI.
        let connection =
            Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch(SETTINGS)?;
        Ok(connection)
    };
    connected().map_err(|error| failed(path, "open", error))
}

/// Checks the database whole, and makes the table in a new one.
fn prepare(writer: &Connection, path: &Path) -> Result<(), StoreError> {
    let opening = |error| failed(path, "open", error);
    let number = |query: &str| {
        let found = writer.query_row(query, (), |row| row.get::<_, i32>(0));
        found.map_err(opening)
    };
    let owner = number("PRAGMA application_id")?;
    let is_new = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if owner != APPLICATION && !(owner == 0 && is_new) {
        return Err(StoreError::OtherEngine {
            path: path.to_owned(),
            found: "a SQLite database of something else",
            wanted: "sqlite",
        });
    }
    let mode = writer.query_row("PRAGMA journal_mode = WAL", (), |row| {
        row.get::<_, String>(0)
    });
    let mode = mode.map_err(opening)?;
    if mode != "wal" {
        let told = format!("this file system cannot hold SQLite's write-ahead log ({mode})");
        return Err(StoreError::io(path, "open", io::Error::other(told)));
    }
    if is_new {
        let created = writer.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             PRAGMA application_id = {APPLICATION};
             COMMIT;"
        ));
        return created.map_err(opening);
    }
    // Rows carry checksums; what leads to them does not.
    let told = writer.query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0));
    match told.map_err(opening)? {
        told if told == "ok" => Ok(()),
        told => Err(damaged(path, told)),
    }
}

fn damaged(path: &Path, detail: String) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        key: "a page of the file".to_owned(),
        detail,
    }
}

/// An error of SQLite in our words.
fn failed(path: &Path, doing: &'static str, error: Error) -> StoreError {
    let code = error.sqlite_error_code();
    match (code, error) {
        (Some(ErrorCode::DiskFull), _) => StoreError::Full {
            path: path.to_owned(),
        },
        (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => StoreError::Locked {
            path: path.to_owned(),
        },
        (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), error) => {
            damaged(path, format!("SQLite says: {error}"))
        }
        (_, error) => StoreError::io(path, doing, io::Error::other(error)),
    }
}

/// An open database. The fields are closed in this order: the lock goes last.
pub(super) struct Sqlite {
    writer: Connection,
    view: SqliteView,
    witness: Witness,
    log: PathBuf,
    /// The log is emptied, readers waited for, when it is larger.
    log_bytes: u64,
    path: PathBuf,
    _lock: Arc<File>,
}

impl Sqlite {
    fn write(&mut self, ops: Ops) -> Result<(), Error> {
        let transaction = self
            .writer
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare_cached(PUT)?;
            let mut delete = transaction.prepare_cached(DELETE)?;
            for (key, value) in ops.adds {
                put.execute((key, value))?;
            }
            for change in ops.changes {
                match change {
                    Change::Put(key, value) => put.execute((key, value))?,
                    Change::Delete(key) => delete.execute((key,))?,
                };
            }
        }
        transaction.commit()
    }

    /// Keeps the log bounded. A reader in another program may stand in the way: the next attempt comes when the log
    /// has grown by as much again.
    fn bound_log(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.log_bytes {
            return Ok(());
        }
        self.writer.busy_timeout(CHECKPOINT_PATIENCE)?;
        let busy = self
            .writer
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| {
                row.get::<_, i32>(0)
            })?;
        self.writer.busy_timeout(PATIENCE)?;
        self.log_bytes = if busy == 0 {
            LOG_BYTES
        } else {
            bytes.saturating_add(LOG_BYTES)
        };
        Ok(())
    }

    /// Size of the log. Files that have lost their names would keep taking bytes that nobody ever finds again.
    fn log_size(&self) -> io::Result<u64> {
        fs::metadata(&self.path)?;
        Ok(fs::metadata(&self.log)?.len())
    }
}

impl Engine for Sqlite {
    type View = SqliteView;

    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn limits(&self) -> Limits {
        Limits {
            writes: 16 * 1024,
            bytes: 16 * 1024 * 1024,
        }
    }

    fn piece(&self) -> usize {
        usize::MAX
    }

    fn witnessed(&self) -> Option<u64> {
        self.witness.known
    }

    fn view(&self) -> SqliteView {
        self.view.clone()
    }

    fn apply(&mut self, ops: Ops) -> Result<(), StoreError> {
        let commit = ops.commit;
        self.write(ops)
            .map_err(|error| failed(&self.path, "write", error))?;
        let syncing = |error| StoreError::io(&self.path, "sync", error);
        let log = self.log_size().map_err(syncing)?;
        self.witness.write(commit).map_err(syncing)?;
        self.bound_log(log)
            .map_err(|error| failed(&self.path, "sync", error))
    }
}

impl Drop for Sqlite {
    /// Leaves everything in the one file. What cannot be moved there stays in the log, where the next opening finds it.
    fn drop(&mut self) {
        // Whoever reads in another program shall not keep the coordinator from ending.
        let emptied = self
            .writer
            .busy_timeout(CHECKPOINT_PATIENCE)
            .and_then(|()| {
                self.writer
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            });
        if let Err(error) = emptied {
            tracing::debug!(path = %self.path.display(), %error, "the log of the store stays as it is");
        }
    }
}

/// Reads of an open database: what is committed, never what is being written.
#[derive(Clone)]
pub(super) struct SqliteView(Arc<Reading>);

struct Reading {
    connection: Mutex<Connection>,
    path: PathBuf,
    // Nobody else opens the store while it is read here.
    _lock: Arc<File>,
}

impl SqliteView {
    /// A visitor that gave up in the middle leaves a connection that is as good as before.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = self.0.connection.lock();
        let connection = connection.unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|failure| match failure {
            Failure::Sqlite(error) => failed(&self.0.path, "read", error),
            Failure::NoBlob => damaged(&self.0.path, "a row is not made of bytes".to_owned()),
            Failure::Visitor(error) => error,
        })
    }
}

/// What ends a read early.
enum Failure {
    Sqlite(Error),
    NoBlob,
    Visitor(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

fn blob<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<&'a [u8], Failure> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(Failure::NoBlob),
    }
}

impl View for SqliteView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(GET)?;
            let mut rows = statement.query((key,))?;
            match rows.next()? {
                Some(row) => Ok(Some(Bytes::copy_from_slice(blob(row, 0)?))),
                None => Ok(None),
            }
        })
    }

    fn visit(
        &self,
        span: &Span,
        visitor: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError> {
        self.read(|connection| {
            let query = if span.backwards { BACKWARDS } else { FORWARDS };
            let mut statement = connection.prepare_cached(query)?;
            let mut rows = statement.query((&span.from, &span.to))?;
            while let Some(row) = rows.next()? {
                let visited = visitor(blob(row, 0)?, blob(row, 1)?);
                if visited.map_err(Failure::Visitor)? == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }
}
