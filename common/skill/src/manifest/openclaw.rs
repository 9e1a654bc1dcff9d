//! `metadata` of a frontmatter: OpenClaw's block under its three names, and this product's own.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::run::RunBlock;
use super::value::{Json, Text, Words};

/// What must hold on a machine before a skill may run there, in OpenClaw's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gates {
    /// Skip everything below but `os`.
    pub always: bool,
    /// Systems as written; empty means all.
    pub os: Vec<String>,
    /// Programs that must all be found.
    pub bins: Vec<String>,
    /// Programs of which one must be found.
    pub any_bins: Vec<String>,
    /// Environment variables that must be set.
    pub env: Vec<String>,
    /// Paths of OpenClaw's configuration that must be truthy.
    pub config: Vec<String>,
    /// The variable that holds the key of a paid service.
    pub primary_env: Option<String>,
    /// The name under which OpenClaw's configuration keeps this skill's entry, when not its own.
    pub skill_key: Option<String>,
    /// Ways to install what is missing.
    pub install: Vec<Install>,
}

impl Gates {
    /// Adds what `other` demands; its single values count only where this one has none.
    pub(crate) fn merge(&mut self, other: Self) {
        self.always |= other.always;
        if self.os.is_empty() {
            self.os = other.os;
        }
        let lists = [
            (&mut self.bins, other.bins),
            (&mut self.any_bins, other.any_bins),
            (&mut self.env, other.env),
            (&mut self.config, other.config),
        ];
        for (mine, theirs) in lists {
            for word in theirs {
                if !mine.contains(&word) {
                    mine.push(word);
                }
            }
        }
        self.primary_env = self.primary_env.take().or(other.primary_env);
        self.skill_key = self.skill_key.take().or(other.skill_key);
        self.install.extend(other.install);
    }
}

/// One way to install a program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "InstallText")]
pub struct Install {
    /// `brew`, `node`, `go`, `uv`, `pip`, `apt`, `winget`, `download`, …
    pub kind: String,
    /// Systems it is for, as written; empty means all.
    pub os: Vec<String>,
    /// Programs it brings; empty means it does not say.
    pub bins: Vec<String>,
    /// What to install: formula, package or module; for a download its address.
    pub what: Option<String>,
    /// A sentence for people.
    pub label: Option<String>,
}

#[derive(Deserialize)]
struct InstallText {
    #[serde(default)]
    kind: Option<Text>,
    #[serde(default)]
    os: Option<Words>,
    #[serde(default)]
    bins: Option<Words>,
    #[serde(default)]
    formula: Option<Text>,
    #[serde(default)]
    package: Option<Text>,
    #[serde(default)]
    module: Option<Text>,
    #[serde(default)]
    id: Option<Text>,
    #[serde(default)]
    url: Option<Text>,
    #[serde(default)]
    label: Option<Text>,
}

impl From<InstallText> for Install {
    fn from(text: InstallText) -> Self {
        // Some entries carry the kind only in their id: `{"id": "brew", "formula": "uv"}`.
        let kind = text
            .kind
            .or(text.id)
            .map_or_else(String::new, |kind| kind.0);
        let what = text.formula.or(text.package).or(text.module).or(text.url);
        Self {
            kind: kind.trim().to_ascii_lowercase(),
            os: text.os.unwrap_or_default().0,
            bins: text.bins.unwrap_or_default().0,
            what: what.map(|what| what.0),
            label: text.label.map(|label| label.0),
        }
    }
}

/// The keys of a gates block, wherever it stands. Unknown keys are OpenClaw's own affair.
#[derive(Debug, Default)]
pub(super) struct GatesText {
    gates: Gates,
    homepage: Option<String>,
}

impl GatesText {
    /// Reads one key's value when the key is one of this block's; `false` leaves the value to the caller.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        let gates = &mut self.gates;
        match key {
            "always" => gates.always = map.next_value::<Option<bool>>()?.unwrap_or(false),
            "os" => gates.os = map.next_value::<Words>()?.0,
            "requires" => {
                let requires = map
                    .next_value::<Option<RequiresText>>()?
                    .unwrap_or_default();
                let words = |words: Option<Words>| words.unwrap_or_default().0;
                gates.bins = words(requires.bins);
                gates.any_bins = words(requires.any_bins);
                gates.env = words(requires.env);
                gates.config = words(requires.config);
            }
            "primaryEnv" | "primary_env" => {
                gates.primary_env = map.next_value::<Option<Text>>()?.map(|key| key.0);
            }
            "skillKey" | "skill_key" => {
                gates.skill_key = map.next_value::<Option<Text>>()?.map(|key| key.0);
            }
            "install" => {
                gates.install = map
                    .next_value::<Option<Vec<Install>>>()?
                    .unwrap_or_default();
            }
            "homepage" => self.homepage = text(map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The gates, and the homepage that may stand among them.
    pub(super) fn split(self) -> (Gates, Option<String>) {
        (self.gates, self.homepage)
    }
}

impl<'de> Deserialize<'de> for GatesText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GatesVisitor;

        impl<'de> Visitor<'de> for GatesVisitor {
            type Value = GatesText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GatesText, A::Error> {
                let mut block = GatesText::default();
                while let Some(Text(key)) = map.next_key::<Text>()? {
                    if !block.read(&key, &mut map)? {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(block)
            }
        }

        deserializer.deserialize_map(GatesVisitor)
    }
}

#[derive(Debug, Default, Deserialize)]
struct RequiresText {
    #[serde(default)]
    bins: Option<Words>,
    #[serde(default, rename = "anyBins", alias = "any_bins")]
    any_bins: Option<Words>,
    #[serde(default)]
    env: Option<Words>,
    #[serde(default)]
    config: Option<Words>,
}

/// `metadata` of a frontmatter, read.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) gates: Option<GatesText>,
    pub(super) run: Option<RunBlock>,
    pub(super) version: Option<String>,
    pub(super) author: Option<String>,
    pub(super) category: Option<String>,
    pub(super) tags: Vec<String>,
}

/// Names of OpenClaw's block, the one that counts first.
const ALIASES: [&str; 3] = ["openclaw", "clawdbot", "clawdis"];

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetadataVisitor;

        impl<'de> Visitor<'de> for MetadataVisitor {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut metadata = Metadata::default();
                let mut rank = ALIASES.len();
                while let Some(Text(key)) = map.next_key::<Text>()? {
                    match key.as_str() {
                        "openclaw-cluster" => {
                            metadata.run = map.next_value::<Embedded<Own>>()?.0.run;
                        }
                        "version" => metadata.version = text(&mut map)?,
                        "author" => metadata.author = text(&mut map)?,
                        "category" => metadata.category = text(&mut map)?,
                        "tags" => metadata.tags = map.next_value::<Words>()?.0,
                        other => match ALIASES.iter().position(|alias| *alias == other) {
                            Some(found) => {
                                let block = map.next_value::<Embedded<GatesText>>()?.0;
                                if found < rank {
                                    rank = found;
                                    metadata.gates = Some(block);
                                }
                            }
                            None => drop(map.next_value::<IgnoredAny>()?),
                        },
                    }
                }
                Ok(metadata)
            }
        }

        deserializer.deserialize_map(MetadataVisitor)
    }
}

/// Text, or nothing where something else stands: `version: {major: 1}` is not worth a skill.
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    Ok(match map.next_value::<Json>()?.0 {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// `metadata.openclaw-cluster`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    run: Option<RunBlock>,
}

/// A block written as a mapping, as JSON5 in one string, or left empty.
pub(super) struct Embedded<T>(pub(super) T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EmbeddedVisitor<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned + Default> Visitor<'de> for EmbeddedVisitor<T> {
            type Value = Embedded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping, or JSON5 text of one")
            }

            fn visit_unit<E>(self) -> Result<Embedded<T>, E> {
                Ok(Embedded(T::default()))
            }

            fn visit_none<E>(self) -> Result<Embedded<T>, E> {
                Ok(Embedded(T::default()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Embedded<T>, E> {
                from_json5(text).map(Embedded).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Embedded<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Embedded)
            }
        }

        deserializer.deserialize_any(EmbeddedVisitor(PhantomData))
    }
}

/// Reads JSON5 by way of a value of bounded depth, since its parser has no bound of its own.
pub(super) fn from_json5<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    parse_json5(text)
        .and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()))
}

/// Any JSON5 value of bounded depth.
pub(crate) fn parse_json5(text: &str) -> Result<Value, String> {
    json5::from_str::<Json>(text)
        .map(|json| json.0)
        .map_err(|error| error.to_string())
}
