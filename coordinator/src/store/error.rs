//! What can go wrong with a store, told so that a person knows the place and the next step.

use std::io;
use std::path::PathBuf;

use openclaw_common::id::ClusterId;

/// Why a store did not do what was asked. Free of transport: the edge maps it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk has no room. Nothing was acknowledged; the store is reopened when there is room again.
    #[error("no space left for the store at {}; free some space on that disk, the coordinator goes on by itself", path.display())]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// Somebody else has it open.
    #[error("the store at {} is open in another process; stop that process or choose another storage.path", path.display())]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} the store at {}: {source}", path.display())]
    Io {
        /// The store.
        path: PathBuf,
        /// What was being done: `open`, `read`, `write`, `sync`.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// What is stored is not what was written.
    #[error("the store at {} is damaged at {key}: {detail}; keep it, and start anew by moving it away or by another storage.path", path.display())]
    Damaged {
        /// The store.
        path: PathBuf,
        /// The row, readable, or the part of the file.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Something else lies at the path.
    #[error("{} holds {found}, but storage.type is {wanted}; set storage.type to what is there, or choose another storage.path", path.display())]
    OtherEngine {
        /// The path.
        path: PathBuf,
        /// What lies there, for people.
        found: &'static str,
        /// The engine that was asked for.
        wanted: &'static str,
    },
    /// The store is another one than this data folder belongs to: the former one was removed or replaced.
    #[error("the store of {lives} is gone, in its place is {found}; put the former one back, or, to go on with this one, stop the coordinator, remove {} and start it again", file.display())]
    OtherCluster {
        /// The file that names the cluster.
        file: PathBuf,
        /// The cluster that lives here.
        lives: String,
        /// The cluster of the store that was opened.
        found: ClusterId,
    },
    /// Written by a newer program.
    #[error("the store at {} has schema {found}, this program knows schema {known}; use the newer program", path.display())]
    Schema {
        /// The store.
        path: PathBuf,
        /// Schema found.
        found: u32,
        /// Newest schema known here.
        known: u32,
    },
    /// A later run owns the store: this one must end.
    #[error("epoch {given} no longer owns the store, which is at epoch {stored}; this run ends")]
    Fenced {
        /// Epoch in the store.
        stored: u64,
        /// Epoch of the caller.
        given: u64,
    },
    /// Commits of a run are numbered 1, 2, 3 …; this one was not the next.
    #[error("commit {given} does not follow: the next is {expected}")]
    OutOfOrder {
        /// The number that follows.
        expected: u64,
        /// The number given.
        given: u64,
    },
    /// It has not been loaded, has failed before, or has been closed.
    #[error("the store is not open; it is being reopened")]
    Closed,
    /// A commit is still in flight.
    #[error("the store is busy with the batch before")]
    Busy,
    /// Code of an engine gave up.
    #[error("the store failed while it was to {doing}: {what}")]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        what: String,
    },
    /// An import goes into an empty store only.
    #[error("the store at {} is not empty; import into a new storage.path", path.display())]
    NotEmpty {
        /// The store.
        path: PathBuf,
    },
    /// A file is not a whole export.
    #[error("{} is not a complete export: {detail}; take another export", path.display())]
    BadExport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl StoreError {
    /// An error of the operating system; no room is told apart.
    pub(crate) fn io(path: &std::path::Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io {
                path,
                doing,
                source,
            },
        }
    }
}
