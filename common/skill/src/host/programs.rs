//! Finding programs on a PATH that was recorded elsewhere, the way the operating system would.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::os::Os;
use crate::hash::is_executable;

/// A search path, taken apart once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    folders: Vec<PathBuf>,
    /// With their dots, in order; empty but on Windows.
    extensions: Vec<String>,
    os: Os,
}

/// What Windows takes PATHEXT to be when it is not set.
const DEFAULT_PATHEXT: &str = ".COM;.EXE;.BAT;.CMD";

impl Programs {
    /// Takes the value of PATH and, for Windows, of PATHEXT. Relative folders are left out: what they mean changes with
    /// the working directory.
    pub fn new(os: Os, path: &OsStr, pathext: Option<&OsStr>) -> Self {
        let folders = std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .collect();
        Self {
            folders,
            extensions: extensions(os, pathext),
            os,
        }
    }

    /// The file that a program's name means: the first on the path, or the file itself when the name has a folder in it.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        let direct = name.contains('/') || (self.os == Os::Windows && name.contains('\\'));
        if direct {
            return self
                .spellings(name)
                .map(PathBuf::from)
                .find(|path| self.starts(path));
        }
        self.folders.iter().find_map(|folder| {
            self.spellings(name)
                .map(|spelling| folder.join(spelling))
                .find(|path| self.starts(path))
        })
    }

    /// The name as it is and, on Windows, with each extension; a name with one of these extensions only as it is.
    fn spellings<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let complete = self.os != Os::Windows
            || self.extensions.iter().any(|extension| {
                name.len() > extension.len()
                    && name
                        .get(name.len() - extension.len()..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(extension))
            });
        let plain = complete.then(|| name.to_owned());
        let extended = if complete {
            &[][..]
        } else {
            self.extensions.as_slice()
        };
        plain.into_iter().chain(
            extended
                .iter()
                .map(move |extension| format!("{name}{extension}")),
        )
    }

    fn starts(&self, path: &Path) -> bool {
        fs::metadata(path)
            .is_ok_and(|about| about.is_file() && (self.os == Os::Windows || is_executable(&about)))
    }
}

fn extensions(os: Os, pathext: Option<&OsStr>) -> Vec<String> {
    if os != Os::Windows {
        return Vec::new();
    }
    let default = OsString::from(DEFAULT_PATHEXT);
    let given = pathext.filter(|text| !text.is_empty()).unwrap_or(&default);
    given
        .to_string_lossy()
        .split(';')
        .map(|extension| extension.trim().to_ascii_lowercase())
        .filter(|extension| extension.len() > 1 && extension.starts_with('.'))
        .collect()
}
