//! What the skill `append` wrote: one line for every run that really began.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that the runs append to.
#[derive(Clone, Debug)]
pub struct Runs {
    path: PathBuf,
}

impl Runs {
    /// A file in this folder; no run yet.
    pub fn in_folder(dir: &Path) -> Self {
        Self {
            path: dir.join("runs"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How often each task began to run, by its id.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.lines() {
            let id = line.split(' ').next().unwrap_or_default();
            *counts.entry(id.to_owned()).or_insert(0) += 1;
        }
        counts
    }

    /// The lines: "task attempt node".
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
