//! One manifest out of what `SKILL.md` and `skill.json` say.

use super::dependency::Dependency;
use super::error::ManifestError;
use super::frontmatter::{self, Front};
use super::legacy::{self, SkillJson};
use super::openclaw::Gates;
use super::run::{Resources, RunBlock};

/// Longest name of a skill, in bytes.
const MAX_NAME: usize = 64;
/// Longest description that is advertised, in characters; longer ones are cut.
const MAX_DESCRIPTION: usize = 1024;

/// What a skill says about itself, from whichever of its files says it; `SKILL.md` before `skill.json`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// The name tasks ask for.
    pub name: String,
    /// What it does, one paragraph; may be empty.
    pub description: String,
    /// Dotted version.
    pub version: Option<String>,
    /// `text_processing`, …; as written, in lower case with underscores.
    pub category: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Skills it needs on the same machine.
    pub dependencies: Vec<Dependency>,
    /// What must hold on a machine.
    pub gates: Gates,
    /// What an attempt takes when the run block does not say.
    pub resources: Resources,
    /// How it runs, when it says so itself.
    pub run: Option<RunBlock>,
    /// Things worth telling its author that stop nothing.
    pub notes: Vec<String>,
}

impl Manifest {
    /// Reads a folder's manifests. `folder` is the folder's own name, which counts when they name none.
    ///
    /// # Errors
    /// When a file cannot be read as what it is, or no usable name can be found.
    pub fn parse(
        folder: &str,
        skill_md: Option<&str>,
        skill_json: Option<&str>,
    ) -> Result<Self, ManifestError> {
        let front = skill_md
            .map(frontmatter::parse)
            .transpose()?
            .unwrap_or_default();
        let json = skill_json
            .map(|text| legacy::parse("skill.json", text))
            .transpose()?
            .unwrap_or_default();
        let mut notes = Vec::new();
        let name = pick_name(folder, &front, &json, &mut notes)?;
        if front.run.is_some() && json.run.is_some() {
            notes.push("run stands in skill.json and in SKILL.md: skill.json's counts".to_owned());
        }
        let mut gates = front.gates;
        gates.merge(json.gates);
        let mut tags = front.tags;
        tags.extend(json.tags.into_iter().filter(|tag| !tag.is_empty()));
        tags.sort();
        tags.dedup();
        let description = front.description.or(json.description).unwrap_or_default();
        Ok(Self {
            name,
            description: one_line(&description),
            version: front.version.or(json.version),
            category: front
                .category
                .or(json.category)
                .map(|category| category.to_lowercase().replace(['-', ' '], "_")),
            author: front.author.or(json.author),
            homepage: front.homepage.or(json.homepage),
            tags,
            dependencies: json.dependencies.0,
            gates,
            resources: json.resources,
            run: json.run.or(front.run),
            notes,
        })
    }
}

/// Whether this can be the name of a skill: 1–64 bytes of letters, digits, `-`, `_` and `.`, beginning with a letter or
/// digit. New skills keep to `[a-z0-9-]`; older ones used more.
pub fn is_valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn pick_name(
    folder: &str,
    front: &Front,
    json: &SkillJson,
    notes: &mut Vec<String>,
) -> Result<String, ManifestError> {
    let given = [
        ("SKILL.md", front.name.as_deref()),
        ("skill.json", json.name.as_deref()),
    ];
    let mut said = given
        .iter()
        .filter_map(|(file, name)| name.map(|name| (*file, name)));
    let first = said.next();
    if let (Some((file, name)), Some((_, other))) = (first, said.next())
        && name != other
    {
        notes.push(format!(
            "skill.json calls it `{other}`, {file} calls it `{name}`: {file} counts"
        ));
    }
    match first {
        Some((_, name)) if is_valid_name(name) => {
            if name != folder {
                notes.push(format!("its folder is called `{folder}`, not `{name}`"));
            }
            Ok(name.to_owned())
        }
        Some((_, name)) if is_valid_name(folder) => {
            notes.push(format!(
                "`{name}` is no name for a skill (letters, digits, - _ .): the folder's counts"
            ));
            Ok(folder.to_owned())
        }
        None if is_valid_name(folder) => Ok(folder.to_owned()),
        Some((file, name)) => Err(ManifestError::whole(
            file,
            format!("`{name}` is no name for a skill: letters, digits, - _ . only"),
        )),
        None => Err(ManifestError::whole(
            "SKILL.md",
            format!("no name, and the folder's `{folder}` is none: letters, digits, - _ . only"),
        )),
    }
}

/// White space folded, cut at the limit.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_DESCRIPTION).collect()
}
