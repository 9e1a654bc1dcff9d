//! Which engine the settings ask for.

use std::path::PathBuf;

use openclaw_config::{Storage, StorageType};

use super::error::StoreError;
use super::memory::Disk;
use super::traits::{Start, Store};
use super::{sled, sqlite};

/// Opens the store of the settings, again and again: what was in memory is still there at the next opening.
#[derive(Debug, Clone)]
pub struct Opener(Place);

#[derive(Debug, Clone)]
enum Place {
    Sled(PathBuf),
    Memory(Disk),
    Sqlite(PathBuf),
}

impl Opener {
    /// For these settings. Opens nothing yet.
    pub fn new(storage: &Storage) -> Self {
        Self(match storage.kind {
            StorageType::Sled => Place::Sled(storage.path.clone()),
            StorageType::Memory => Place::Memory(Disk::new()),
            StorageType::Sqlite => Place::Sqlite(storage.path.clone()),
        })
    }

    /// A store in memory on this disk, which a test can tell to fail.
    pub fn in_memory(disk: Disk) -> Self {
        Self(Place::Memory(disk))
    }

    /// Opens the store. Blocks, up to 10 s while a former holder gives it back.
    pub fn open(&self, start: Start) -> Result<Box<dyn Store>, StoreError> {
        match &self.0 {
            Place::Sled(path) => sled::open(path, start, sled::PATIENCE),
            Place::Memory(disk) => disk.open(start),
            Place::Sqlite(path) => sqlite::open(path, start),
        }
    }
}
