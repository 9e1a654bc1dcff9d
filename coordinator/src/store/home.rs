//! Which cluster lives in a data folder: written beside the store at its first start, compared at every later opening.
//!
//! A store that was removed comes back empty, under a new cluster id; without this nobody would notice.

use std::path::{Path, PathBuf};

use openclaw_common::id::ClusterId;
use openclaw_runtime::fsx::{self, Access};

use super::error::StoreError;

/// Longest content that is read, in bytes: an id and the end of its line.
const MOST: u64 = 128;

/// The file that names the cluster of a data folder.
#[derive(Debug, Clone)]
pub struct Home {
    file: PathBuf,
}

impl Home {
    /// In this folder, which exists.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            file: folder.join("cluster_id"),
        }
    }

    /// Takes the first cluster that is found here, refuses every other one.
    pub(crate) fn check(&self, found: ClusterId) -> Result<(), StoreError> {
        let failed = |source| StoreError::io(&self.file, "open", source);
        match fsx::read_bounded(&self.file, MOST) {
            Ok(bytes) => {
                let lives = String::from_utf8_lossy(&bytes).trim().to_owned();
                if lives == found.to_string() {
                    return Ok(());
                }
                Err(StoreError::OtherCluster {
                    file: self.file.clone(),
                    lives,
                    found,
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let line = format!("{found}\n");
                fsx::write_atomic(&self.file, line.as_bytes(), Access::Owner).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use openclaw_common::id::ClusterId;

    use super::Home;
    use crate::store::StoreError;

    #[test]
    fn a_data_folder_belongs_to_the_cluster_that_came_first() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::in_folder(folder.path());
        home.check(ClusterId(7)).unwrap();
        home.check(ClusterId(7)).unwrap();
        let refused = home.check(ClusterId(8)).unwrap_err();
        assert!(matches!(
            refused,
            StoreError::OtherCluster {
                found: ClusterId(8),
                ..
            }
        ));
        let words = refused.to_string();
        assert!(
            words.contains("is gone") && words.contains("remove"),
            "{words}"
        );
    }
}
