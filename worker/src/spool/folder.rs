//! The folder and its files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use openclaw_common::id::{ClusterId, LeaseId};
use openclaw_runtime::fsx;

use super::file;
use crate::state::Finished;

const FOLDER: &str = "spool";
/// What lies here is not read again: damaged files, and those of other clusters in a folder each.
const ASIDE: &str = "aside";
const DAMAGED: &str = "damaged";
const RESULT: &str = "result";
const TEMPORARY: &str = "tmp";
/// Largest file that is read: a result with its outputs, several times over.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The folder of results.
#[derive(Debug, Clone)]
pub struct Spool {
    dir: PathBuf,
}

/// What was found at start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Results of the cluster asked for, in order of leases.
    pub results: Vec<Finished>,
    /// The cluster that they belong to.
    pub cluster: Option<ClusterId>,
    /// Files put aside, with the reason.
    pub aside: Vec<(PathBuf, String)>,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}; the worker's data directory must be writable and its disk not full", path.display())]
pub struct SpoolError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Spool {
    /// Opens, and if need be makes, the folder below the worker's data directory.
    pub fn open(data_dir: &Path) -> Result<Self, SpoolError> {
        let dir = data_dir.join(FOLDER);
        fsx::create_owner_only_dir(&dir).map_err(|source| failed("make", &dir, source))?;
        Ok(Self { dir })
    }

    /// Reads every result of `cluster`, the one last served. When that is not known it is the one of most files.
    /// Everything else is put aside.
    pub fn load(&self, cluster: Option<ClusterId>) -> Result<Loaded, SpoolError> {
        let mut loaded = Loaded::default();
        let mut found = Vec::new();
        for path in self.files()? {
            match read(&path) {
                Ok((owner, finished)) => found.push((owner, finished, path)),
                Err(why) => {
                    let target = self.put_aside(&path, DAMAGED)?;
                    loaded.aside.push((target, why));
                }
            }
        }
        loaded.cluster = cluster.or_else(|| most_frequent(found.iter().map(|(owner, ..)| *owner)));
        for (owner, finished, path) in found {
            if Some(owner) == loaded.cluster {
                loaded.results.push(finished);
            } else {
                let target = self.put_aside(&path, &owner.to_string())?;
                loaded
                    .aside
                    .push((target, format!("it belongs to {owner}")));
            }
        }
        loaded.results.sort_by_key(|finished| finished.lease);
        Ok(loaded)
    }

    /// Keeps one result of `cluster`.
    pub fn write(&self, cluster: ClusterId, finished: &Finished) -> Result<(), SpoolError> {
        let path = self.path(finished.lease);
        let temporary = path.with_extension(TEMPORARY);
        fs::write(&temporary, file::encode(cluster, finished))
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| {
                // The first error is the one worth telling.
                drop(fs::remove_file(&temporary));
                failed("write", &path, source)
            })
    }

    /// Removes a result; one that is not there is no error.
    pub fn remove(&self, lease: LeaseId) -> Result<(), SpoolError> {
        let path = self.path(lease);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path, source))
            }
            _ => Ok(()),
        }
    }

    /// Puts every result aside, because all belong to `cluster`, which is no longer served.
    pub fn set_aside(&self, cluster: ClusterId) -> Result<usize, SpoolError> {
        let files = self.files()?;
        for path in &files {
            self.put_aside(path, &cluster.to_string())?;
        }
        Ok(files.len())
    }

    /// Every result file, in no order. What a crash left half written is removed.
    fn files(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let read = |source| failed("read", &self.dir, source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(read)? {
            let path = entry.map_err(read)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(RESULT) => files.push(path),
                Some(TEMPORARY) => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
        Ok(files)
    }

    fn put_aside(&self, path: &Path, folder: &str) -> Result<PathBuf, SpoolError> {
        let dir = self.dir.join(ASIDE).join(folder);
        fsx::create_owner_only_dir(&dir).map_err(|source| failed("make", &dir, source))?;
        let target = dir.join(path.file_name().unwrap_or_default());
        fs::rename(path, &target).map_err(|source| failed("put aside", path, source))?;
        Ok(target)
    }

    fn path(&self, lease: LeaseId) -> PathBuf {
        self.dir
            .join(format!("{}-{}.{RESULT}", lease.epoch, lease.counter))
    }
}

fn read(path: &Path) -> Result<(ClusterId, Finished), String> {
    let bytes = fsx::read_bounded(path, FILE_BYTES).map_err(|error| error.to_string())?;
    file::decode(&bytes)
}

fn most_frequent(clusters: impl Iterator<Item = ClusterId>) -> Option<ClusterId> {
    let mut counts = std::collections::BTreeMap::<ClusterId, usize>::new();
    for cluster in clusters {
        *counts.entry(cluster).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(cluster, _)| cluster)
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> SpoolError {
    SpoolError {
        action,
        path: path.to_owned(),
        source,
    }
}
