//! Recipes: `recipes/NAME.json` beside a skill's folder says how a skill runs whose own files say nothing and must not be
//! touched.

use std::path::{Path, PathBuf};

use crate::manifest::{Gates, ManifestError, Resources, RunBlock, legacy};
use crate::read::{self, ReadError};

/// How somebody else's skill runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The file.
    pub path: PathBuf,
    /// The command and what belongs to it.
    pub run: RunBlock,
    /// What must hold on a machine, beyond what the skill demands.
    pub gates: Gates,
    /// What an attempt takes when the run block does not say.
    pub resources: Resources,
}

/// Where recipes for the skills below `root` are looked for, in this order: `root/recipes`, then `recipes` beside `root`.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("recipes")];
    if let Some(parent) = root.parent() {
        folders.push(parent.join("recipes"));
    }
    folders
}

/// The recipe for a skill, from the first folder that has one.
///
/// # Errors
/// When there is one that cannot be read: it costs this skill, not the others.
pub fn find(folders: &[PathBuf], skill: &str) -> Result<Option<Recipe>, ManifestError> {
    for folder in folders {
        let path = folder.join(format!("{skill}.json"));
        let shown = format!("recipes/{skill}.json");
        match read::text(&path) {
            Ok(text) => return parse(&path, &shown, &text).map(Some),
            Err(ReadError::Missing) => {}
            Err(error) => return Err(ManifestError::whole(shown, error.to_string())),
        }
    }
    Ok(None)
}

/// Reads a recipe: a `skill.json` whose `run` counts, or the run block alone.
fn parse(path: &Path, shown: &str, text: &str) -> Result<Recipe, ManifestError> {
    let skill = legacy::parse(shown, text)?;
    let run = match skill.run {
        Some(run) => run,
        None => legacy::bare_run(shown, text)?.ok_or_else(|| {
            ManifestError::whole(
                shown,
                "it has no \"run\" block, which is all a recipe is for",
            )
        })?,
    };
    Ok(Recipe {
        path: path.to_owned(),
        run,
        gates: skill.gates,
        resources: skill.resources,
    })
}
