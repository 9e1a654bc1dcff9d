//! On Windows the operating system is the guardian: every attempt is in a job that ends with the worker's handle.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::tree::Tree;
use super::{GuardianCommand, GuardianError, empty_folder, random_mark};

/// Stands for a running tree.
#[derive(Debug)]
pub(in super::super) struct Slot(());

/// The folder and the mark of a worker's run. Clones share it.
#[derive(Debug, Clone)]
pub struct Guardian {
    folder: Arc<PathBuf>,
    run: Arc<str>,
}

impl Guardian {
    /// Removes the directories that the attempts of a former worker left; their processes died with it.
    pub fn start(data_dir: &Path, _command: GuardianCommand) -> Result<Self, GuardianError> {
        let folder = data_dir.join("run");
        empty_folder(&folder, "")?;
        Ok(Self {
            folder: Arc::new(folder),
            run: random_mark()?.into(),
        })
    }

    /// The folder for attempts' directories.
    pub(in super::super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Nothing to note: the job knows.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix")]
    pub(in super::super) fn enter(&self, _tree: &Tree) -> io::Result<Slot> {
        Ok(Slot(()))
    }

    /// What the mark of every process of this run begins with.
    pub(in super::super) fn run(&self) -> &str {
        &self.run
    }
}

/// Nothing to do here.
pub fn run_guardian(_stdin: impl Read, _stdout: impl Write) -> io::Result<()> {
    Ok(())
}
