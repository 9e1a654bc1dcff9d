//! The last task submitted from this user's command line, one per coordinator.
//!
//! A convenience: what cannot be written or read is reported to nobody but the one who asks for `last`.

use std::path::PathBuf;

use openclaw_common::id::TaskId;
use openclaw_runtime::fsx::{self, Access};

use super::surroundings::Surroundings;
use crate::address::Address;
use crate::failure::Failure;

/// Longest file that is read, in bytes.
const LIMIT: u64 = 256;

/// Where the last id for one coordinator is kept.
#[derive(Debug, Clone)]
pub struct LastTask {
    path: Option<PathBuf>,
}

impl LastTask {
    /// The file for `address`, in a folder beside the profiles file. One small file a coordinator, so that writers
    /// for different ones never meet.
    pub fn of(around: &Surroundings, address: &Address) -> Self {
        let host = if address.is_loopback() {
            "localhost"
        } else {
            &address.host
        };
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        };
        let name: String = host.chars().map(safe).collect();
        let file = around.profiles_file().ok();
        let dir = file.and_then(|file| Some(file.path().parent()?.join("last")));
        Self {
            path: dir.map(|dir| dir.join(format!("{name}_{}", address.port))),
        }
    }

    /// Remembers an id. Failing to do so harms nobody: the id was printed.
    pub fn remember(&self, task_id: &str) {
        let Some(path) = &self.path else { return };
        let written = path.parent().map_or(Ok(()), fsx::create_owner_only_dir);
        let written =
            written.and_then(|()| fsx::write_atomic(path, task_id.as_bytes(), Access::Owner));
        if let Err(error) = written {
            tracing::debug!(path = %path.display(), %error, "cannot remember the last task");
        }
    }

    /// The id remembered last.
    pub fn recall(&self) -> Result<String, Failure> {
        let bytes = self
            .path
            .as_deref()
            .and_then(|path| fsx::read_bounded(path, LIMIT).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let id = text.and_then(|text| text.trim().parse::<TaskId>().ok());
        id.map(|id| id.to_string()).ok_or_else(|| {
            Failure::not_found(
                "`last` is not known: no task was submitted to this coordinator from here",
            )
            .hint("name a task: `openclaw-cluster task list` shows them")
        })
    }
}
