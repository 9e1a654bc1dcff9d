//! The content hash of a folder: the same for the same files, whoever copied them and when.
//!
//! Goes into it, sorted by path: the relative path with forward slashes, whether the file is executable, its content; of
//! a symlink its target as written. Times, owners and other permissions don't. Left out is what is not the skill: dot
//! folders, `node_modules`, `__pycache__`, `*.pyc`, `.DS_Store`, `Thumbs.db`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Most files of one skill.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of one skill that are hashed.
pub const MAX_BYTES: u64 = 2 << 30;
/// Deepest folder of one skill.
const MAX_DEPTH: usize = 64;

/// Why a folder has no content hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// A link that leads out of the folder: what it points to is not part of the skill.
    #[error("the link {path} leaves the skill's folder")]
    LinkLeaves {
        /// The link, relative to the folder.
        path: String,
    },
    /// A pipe, socket or device.
    #[error("{path} is neither a file nor a folder")]
    Special {
        /// Its place, relative to the folder.
        path: String,
    },
    /// A name that other systems could not carry.
    #[error("the name of {0} is not UTF-8")]
    Name(PathBuf),
    /// More than [`MAX_FILES`], [`MAX_BYTES`] or 64 folders deep.
    #[error("more than {MAX_FILES} files, {MAX_BYTES} bytes or {MAX_DEPTH} folders deep")]
    TooLarge,
    /// The disk or its permissions.
    #[error("{path} cannot be read: {error}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

/// One file of a folder, in the order in which it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Path relative to the folder, with forward slashes.
    pub path: String,
    /// What stands there.
    pub kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file of this many bytes.
    File {
        /// May be started; always false on Windows, which has no such bit.
        executable: bool,
        /// Its length.
        bytes: u64,
    },
    /// A symlink inside the folder, with its target as written.
    Link(String),
}

/// The content hash of a folder, 64 hexadecimal digits of BLAKE3.
///
/// # Errors
/// When the folder holds what cannot be shared (see [`HashError`]) or cannot be read.
pub fn folder(root: &Path) -> Result<String, HashError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"openclaw-skill folder v1\n");
    for entry in entries(root)? {
        frame(&mut hasher, entry.path.as_bytes());
        match &entry.kind {
            EntryKind::Link(target) => {
                hasher.update(b"l");
                frame(&mut hasher, target.as_bytes());
            }
            EntryKind::File { executable, .. } => {
                hasher.update(if *executable { b"x" } else { b"f" });
                let path = root.join(&entry.path);
                hasher.update(
                    content(&path)
                        .map_err(|error| HashError::Io { path, error })?
                        .as_bytes(),
                );
            }
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The hash of a folder together with a file outside it (a recipe) that decides what the folder does.
pub(crate) fn with_recipe(folder: &str, recipe: &Path) -> Result<String, HashError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"openclaw-skill recipe v1\n");
    frame(&mut hasher, folder.as_bytes());
    let content = content(recipe).map_err(|error| HashError::Io {
        path: recipe.to_owned(),
        error,
    })?;
    hasher.update(content.as_bytes());
    Ok(hasher.finalize().to_hex().to_string())
}

/// The files of a folder that count, sorted by path.
///
/// # Errors
/// As [`folder`].
pub fn entries(root: &Path) -> Result<Vec<Entry>, HashError> {
    let real = root.canonicalize().map_err(|error| HashError::Io {
        path: root.to_owned(),
        error,
    })?;
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let failed = |error| HashError::Io {
            path: folder.clone(),
            error,
        };
        for item in fs::read_dir(&folder).map_err(failed)? {
            let item = item.map_err(failed)?;
            let name = item
                .file_name()
                .into_string()
                .map_err(|_| HashError::Name(item.path()))?;
            let path = format!("{prefix}{name}");
            let kind = item.file_type().map_err(failed)?;
            if kind.is_dir() {
                if !is_skipped_folder(&name) {
                    folders.push((item.path(), format!("{path}/"), depth + 1));
                }
            } else if !is_skipped_file(&name) {
                let kind = entry_kind(&item, &path, &real)?;
                if let EntryKind::File { bytes: length, .. } = kind {
                    bytes += length;
                }
                found.push(Entry { path, kind });
            }
            if found.len() > MAX_FILES || bytes > MAX_BYTES || depth > MAX_DEPTH {
                return Err(HashError::TooLarge);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Folders that are no part of a skill, wherever they stand.
pub(crate) fn is_skipped_folder(name: &str) -> bool {
    name.starts_with('.') || name == "node_modules" || name == "__pycache__"
}

fn is_skipped_file(name: &str) -> bool {
    name == ".DS_Store"
        || name == "Thumbs.db"
        || Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "pyc")
}

fn entry_kind(item: &fs::DirEntry, path: &str, root: &Path) -> Result<EntryKind, HashError> {
    let failed = |error| HashError::Io {
        path: item.path(),
        error,
    };
    let about = item.metadata().map_err(failed)?;
    if about.is_symlink() {
        let target = fs::read_link(item.path()).map_err(failed)?;
        let leaves = || HashError::LinkLeaves {
            path: path.to_owned(),
        };
        // A dangling link is carried as it is when its words stay inside.
        let inside = match item.path().canonicalize() {
            Ok(real) => real.starts_with(root),
            Err(_) => {
                target.is_relative() && !target.components().any(|part| part.as_os_str() == "..")
            }
        };
        if target.is_absolute() || !inside {
            return Err(leaves());
        }
        let target = target
            .to_str()
            .ok_or_else(|| HashError::Name(item.path()))?;
        return Ok(EntryKind::Link(target.replace('\\', "/")));
    }
    if !about.is_file() {
        return Err(HashError::Special {
            path: path.to_owned(),
        });
    }
    Ok(EntryKind::File {
        executable: is_executable(&about),
        bytes: about.len(),
    })
}

#[cfg(unix)]
pub(crate) fn is_executable(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_executable(_about: &fs::Metadata) -> bool {
    false
}

fn content(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize())
}

/// Length first, so that no two different lists of names run together into the same bytes.
fn frame(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests;
