//! The folder with all logs, and which of them are in use.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use openclaw_common::id::TaskId;
use openclaw_runtime::tasks::TaskGroup;

use super::file::Log;

/// Entries of logs that nobody uses any more are swept when there are more than this.
const SWEEP: usize = 1_024;

/// One attempt of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogKey {
    /// The task.
    pub task: TaskId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

/// All logs. Clones share them.
#[derive(Debug, Clone)]
pub struct TaskLogs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// Owns work that blocks on the disk.
    group: TaskGroup,
    open: Mutex<HashMap<LogKey, Weak<Log>>>,
}

impl TaskLogs {
    /// Logs below this folder, which is made when the first one comes.
    pub fn new(dir: &Path, group: TaskGroup) -> Self {
        Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                group,
                open: Mutex::default(),
            }),
        }
    }

    /// Runs work that blocks on the disk beside the runtime.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let done = self.inner.group.spawn_blocking("task log", work).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// The log of an attempt, in use as long as the answer is held. It need not exist yet.
    pub async fn log(&self, key: LogKey) -> io::Result<Arc<Log>> {
        if let Some(log) = self.in_use(key) {
            return Ok(log);
        }
        let this = self.clone();
        self.blocking(move || this.open(key)).await
    }

    /// Deletes logs that nothing was added to for so long. Returns how many.
    pub async fn forget_older(&self, age: Duration) -> io::Result<usize> {
        let this = self.clone();
        self.blocking(move || forget(&this.inner.dir, SystemTime::now().checked_sub(age)))
            .await
    }

    fn in_use(&self, key: LogKey) -> Option<Arc<Log>> {
        let open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.get(&key).and_then(Weak::upgrade)
    }

    fn open(&self, key: LogKey) -> io::Result<Arc<Log>> {
        // Held while the file is scanned: two handles on one file would not know of each other's records.
        let mut open = self
            .inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(log);
        }
        let log = Arc::new(Log::open(&self.path(key))?);
        if open.len() >= SWEEP {
            open.retain(|_, log| log.strong_count() > 0);
        }
        open.insert(key, Arc::downgrade(&log));
        Ok(log)
    }

    /// `<dir>/<last two letters of the id>/<id>.<attempt>.log`: the last letters spread the tasks over 1024 folders.
    fn path(&self, key: LogKey) -> PathBuf {
        let id = key.task.to_string();
        let shard = &id[id.len().saturating_sub(2)..];
        self.inner
            .dir
            .join(shard)
            .join(format!("{id}.{}.log", key.attempt))
    }
}

fn forget(dir: &Path, before: Option<SystemTime>) -> io::Result<usize> {
    let Some(before) = before else {
        return Ok(0);
    };
    let shards = match std::fs::read_dir(dir) {
        Ok(shards) => shards,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut gone = 0;
    for shard in shards {
        for entry in std::fs::read_dir(shard?.path())? {
            let entry = entry?;
            if entry.metadata()?.modified()? < before {
                std::fs::remove_file(entry.path())?;
                gone += 1;
            }
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_in_use_is_one_and_the_same_for_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let logs = TaskLogs::new(&dir.path().join("task_logs"), TaskGroup::new());
        let key = LogKey {
            task: TaskId::from_parts(1, 2),
            attempt: 1,
        };
        let (first, second) = (logs.log(key).await.unwrap(), logs.log(key).await.unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        first.append(&[], true).unwrap();
        drop((first, second));
        assert!(logs.log(key).await.unwrap().ends().last);
        assert_eq!(logs.forget_older(Duration::from_mins(1)).await.unwrap(), 0);
        assert_eq!(logs.forget_older(Duration::ZERO).await.unwrap(), 1);
    }
}
