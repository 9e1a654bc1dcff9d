//! Finding skills below a folder. What is wrong with one of them costs that one only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::hash;
use crate::manifest::{Manifest, ManifestError, RunBlock};
use crate::read::{self, ReadError};
use crate::recipe::{self, Recipe};

/// How far below the root a skill may lie.
pub const MAX_DEPTH: usize = 6;
/// Most folders that are looked into.
pub const MAX_FOLDERS: usize = 20_000;

/// A skill whose files are in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Skill {
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its folder, absolute, without symlinks.
    pub dir: PathBuf,
    /// The recipe that says how it runs, when the skill itself does not.
    pub recipe: Option<Recipe>,
    /// What it does, by content: 64 hexadecimal digits over its folder and its recipe.
    pub content_hash: String,
    /// Things worth telling its owner that stop nothing.
    pub notes: Vec<String>,
}

impl Skill {
    /// How it runs, by its own word or by its recipe's. `None` for a skill that only instructs a model.
    pub fn run(&self) -> Option<&RunBlock> {
        self.manifest
            .run
            .as_ref()
            .or(self.recipe.as_ref().map(|recipe| &recipe.run))
    }
}

/// A folder that is, or wants to be, a skill.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovered {
    /// The skill's name; the folder's when its manifest cannot be read.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The skill, or the exact reason why it is none.
    pub skill: Result<Skill, String>,
}

/// Why a whole folder of skills cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// It is not there, or cannot be entered.
    #[error("the skills folder {root} cannot be read: {error} (worker.skills_dir names it)")]
    Root {
        /// The folder.
        root: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Somebody's home directory, most likely.
    #[error(
        "{root} has more than {MAX_FOLDERS} folders: let worker.skills_dir name a folder that holds skills"
    )]
    TooManyFolders {
        /// The folder.
        root: PathBuf,
    },
}

/// Every skill below `root`, at most [`MAX_DEPTH`] levels down, sorted by name. Dot folders, `node_modules` and
/// `recipes` are not entered, nor is anything inside a skill. When `root` itself is a skill and none lies below it, that
/// one is returned.
///
/// # Errors
/// Only when `root` as a whole cannot be searched.
pub fn discover(root: &Path) -> Result<Vec<Discovered>, DiscoverError> {
    let real = plain_canonical(root).map_err(|error| DiscoverError::Root {
        root: root.to_owned(),
        error,
    })?;
    fs::read_dir(&real).map_err(|error| DiscoverError::Root {
        root: root.to_owned(),
        error,
    })?;
    let mut walk = Walk {
        root: &real,
        recipes: recipe::folders(&real),
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    walk.enter(&real, 0)?;
    let mut found = walk.found;
    if found.is_empty() && has_manifest(&real) {
        found.push(load(&real));
    }
    settle_names(&mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.dir.cmp(&b.dir)));
    Ok(found)
}

/// One skill by its folder, with recipes from beside it.
pub fn load(dir: &Path) -> Discovered {
    let dir = plain_canonical(dir).unwrap_or_else(|_| dir.to_owned());
    let recipes = dir.parent().map(recipe::folders).unwrap_or_default();
    load_with(&dir, &dir, &recipes)
}

struct Walk<'a> {
    root: &'a Path,
    recipes: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    found: Vec<Discovered>,
}

impl Walk<'_> {
    /// Looks at the folders in `dir`, which lies `depth` levels below the root.
    fn enter(&mut self, dir: &Path, depth: usize) -> Result<(), DiscoverError> {
        if depth >= MAX_DEPTH {
            return Ok(());
        }
        let mut items: Vec<fs::DirEntry> = match fs::read_dir(dir) {
            Ok(items) => items.filter_map(Result::ok).collect(),
            Err(error) => {
                self.refuse(dir, format!("the folder cannot be read: {error}"));
                return Ok(());
            }
        };
        items.sort_by_key(fs::DirEntry::file_name);
        for item in items {
            let name = item.file_name();
            if hash::is_skipped_folder(&name.to_string_lossy()) {
                continue;
            }
            if let Some(folder) = self.folder(&item) {
                self.visit(&folder, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The real folder behind an entry; `None` for files, dangling links, and links that leave the root.
    fn folder(&mut self, item: &fs::DirEntry) -> Option<PathBuf> {
        let kind = item.file_type().ok()?;
        if kind.is_dir() {
            return Some(item.path());
        }
        if !kind.is_symlink() {
            return None;
        }
        let real = plain_canonical(&item.path())
            .ok()
            .filter(|real| real.is_dir())?;
        if real.starts_with(self.root) {
            return Some(real);
        }
        if has_manifest(&real) {
            let root = self.root.display();
            let target = real.display();
            self.refuse(
                &item.path(),
                format!("the link leads to {target}, outside {root}: copy the folder, or let worker.skills_dir name it"),
            );
        }
        None
    }

    fn visit(&mut self, folder: &Path, depth: usize) -> Result<(), DiscoverError> {
        if !self.seen.insert(folder.to_owned()) {
            return Ok(());
        }
        if self.seen.len() > MAX_FOLDERS {
            return Err(DiscoverError::TooManyFolders {
                root: self.root.to_owned(),
            });
        }
        if has_manifest(folder) {
            self.found.push(load_with(folder, self.root, &self.recipes));
            return Ok(());
        }
        if self.recipes.iter().any(|recipes| recipes == folder) {
            return Ok(());
        }
        self.enter(folder, depth)
    }

    fn refuse(&mut self, dir: &Path, reason: String) {
        self.found.push(Discovered {
            name: folder_name(dir),
            dir: dir.to_owned(),
            skill: Err(reason),
        });
    }
}

/// Whether a folder holds `SKILL.md` or `skill.json`, whatever state they are in.
fn has_manifest(dir: &Path) -> bool {
    ["SKILL.md", "skill.json"]
        .iter()
        .any(|file| dir.join(file).is_file())
}

fn load_with(dir: &Path, root: &Path, recipes: &[PathBuf]) -> Discovered {
    let folder = folder_name(dir);
    match read_manifest(dir, &folder, root) {
        Ok(manifest) => {
            let name = manifest.name.clone();
            Discovered {
                name,
                dir: dir.to_owned(),
                skill: complete(manifest, dir, recipes),
            }
        }
        Err(error) => Discovered {
            name: folder,
            dir: dir.to_owned(),
            skill: Err(error.to_string()),
        },
    }
}

fn read_manifest(dir: &Path, folder: &str, root: &Path) -> Result<Manifest, ManifestError> {
    let skill_md = read_inside(dir, "SKILL.md", root)?;
    let skill_json = read_inside(dir, "skill.json", root)?;
    Manifest::parse(folder, skill_md.as_deref(), skill_json.as_deref())
}

/// A manifest's text; `None` when there is no such file, or only a dangling link.
fn read_inside(dir: &Path, file: &str, root: &Path) -> Result<Option<String>, ManifestError> {
    let path = dir.join(file);
    let Ok(real) = plain_canonical(&path) else {
        return Ok(None);
    };
    if !real.starts_with(root) {
        let target = real.display();
        return Err(ManifestError::whole(
            file,
            format!("a link to {target}, which lies outside {}", root.display()),
        ));
    }
    match read::text(&real) {
        Ok(text) => Ok(Some(text)),
        Err(ReadError::Missing) => Ok(None),
        Err(ReadError::NotUtf8(line)) => Err(ManifestError::at(
            file,
            line,
            "not UTF-8 text: save the file as UTF-8",
        )),
        Err(error) => Err(ManifestError::whole(file, error.to_string())),
    }
}

fn complete(manifest: Manifest, dir: &Path, recipes: &[PathBuf]) -> Result<Skill, String> {
    let mut notes = manifest.notes.clone();
    let recipe = match recipe::find(recipes, &manifest.name) {
        Ok(Some(recipe)) if manifest.run.is_some() => {
            notes.push(format!(
                "{} is not used: the skill says itself how it runs",
                recipe.path.display()
            ));
            None
        }
        Ok(recipe) => recipe,
        Err(error) if manifest.run.is_some() => {
            notes.push(error.to_string());
            None
        }
        Err(error) => return Err(error.to_string()),
    };
    let hash = hash::folder(dir).and_then(|folder| match &recipe {
        Some(recipe) => hash::with_recipe(&folder, &recipe.path),
        None => Ok(folder),
    });
    let content_hash = hash.map_err(|error| format!("content: {error}"))?;
    Ok(Skill {
        manifest,
        dir: dir.to_owned(),
        recipe,
        content_hash,
        notes,
    })
}

/// Of several skills of one name, the first by path keeps it.
fn settle_names(found: &mut [Discovered]) {
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    let mut owners: BTreeMap<String, PathBuf> = BTreeMap::new();
    for discovered in found
        .iter_mut()
        .filter(|discovered| discovered.skill.is_ok())
    {
        match owners.get(&discovered.name) {
            Some(owner) => {
                discovered.skill = Err(format!(
                    "{} has the name {} already",
                    owner.display(),
                    discovered.name
                ));
            }
            None => drop(owners.insert(discovered.name.clone(), discovered.dir.clone())),
        }
    }
}

fn folder_name(dir: &Path) -> String {
    dir.file_name().map_or_else(
        || dir.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The path without symlinks and, on Windows, without the `\\?\` that many programs cannot take.
fn plain_canonical(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    let plain = real
        .to_str()
        .and_then(|text| text.strip_prefix(r"\\?\"))
        .filter(|text| text.get(1..2) == Some(":"));
    Ok(plain.map_or_else(|| real.clone(), PathBuf::from))
}

#[cfg(test)]
mod tests;
