//! `skill.json`: the older Python cluster's manifest, and the `run` block that makes a skill runnable here. Recipes have
//! the same shape.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::dependency::Dependencies;
use super::error::ManifestError;
use super::openclaw::{Gates, GatesText};
use super::run::{Resources, RunBlock};
use super::value::{Json, Text, Words};

/// What a `skill.json` says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SkillJson {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) dependencies: Dependencies,
    pub(crate) resources: Resources,
    pub(crate) gates: Gates,
    pub(crate) run: Option<RunBlock>,
}

/// `"author": "Ada"` or `"author": {"name": "Ada", …}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Author {
    Name(String),
    Person { name: String },
    Other(Json),
}

/// Reads a `skill.json` or a recipe; `file` is how errors call it.
pub(crate) fn parse(file: &str, text: &str) -> Result<SkillJson, ManifestError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| ManifestError::json(file, text, &error))
}

/// A file that is nothing but a run block; `None` when it has no command.
pub(crate) fn bare_run(file: &str, text: &str) -> Result<Option<RunBlock>, ManifestError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |error| ManifestError::json(file, text, &error);
    let Json(value) = serde_json::from_str(text).map_err(wrong)?;
    if value.get("command").is_none() && value.get("per_os").is_none() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(wrong)
}

impl<'de> Deserialize<'de> for SkillJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SkillJsonVisitor;

        impl<'de> Visitor<'de> for SkillJsonVisitor {
            type Value = SkillJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the skill's name, description and run block")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SkillJson, A::Error> {
                let mut skill = SkillJson::default();
                let mut gates = GatesText::default();
                while let Some(Text(key)) = map.next_key::<Text>()? {
                    if !gates.read(&key, &mut map)? {
                        skill.read(&key, &mut map)?;
                    }
                }
                (skill.gates, skill.homepage) = gates.split();
                Ok(skill)
            }
        }

        deserializer.deserialize_map(SkillJsonVisitor)
    }
}

impl SkillJson {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => self.name = text(map)?,
            "description" => self.description = text(map)?,
            "version" => self.version = text(map)?,
            "category" => self.category = text(map)?,
            "author" => {
                self.author = map
                    .next_value::<Option<Author>>()?
                    .and_then(Author::into_name);
            }
            "tags" => self.tags = map.next_value::<Words>()?.0,
            "dependencies" => self.dependencies = map.next_value()?,
            "required_resources" => self.resources = from_levels(&map.next_value::<Json>()?),
            "run" => self.run = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// Text that is not blank.
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    let text = map
        .next_value::<Option<Text>>()?
        .map(|text| text.0.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

impl Author {
    fn into_name(self) -> Option<String> {
        match self {
            Self::Name(name) | Self::Person { name } => Some(name),
            Self::Other(Json(_)) => None,
        }
    }
}

/// `required_resources`. Its levels (`cpu: high`, `memory: low`, `network: required`) were never amounts, so they reserve
/// nothing; only a GPU that is required is something a node has or has not.
fn from_levels(levels: &Json) -> Resources {
    let gpu = levels.0.get("gpu").and_then(|level| level.as_str());
    Resources {
        gpus: u32::from(gpu.is_some_and(|level| level.eq_ignore_ascii_case("required"))),
        ..Resources::default()
    }
}
