//! `SKILL.md`: the YAML between its two `---` lines.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::error::ManifestError;
use super::openclaw::{Embedded, Gates, Metadata, from_json5};
use super::run::RunBlock;
use super::value::Words;

const FILE: &str = "SKILL.md";

/// What a `SKILL.md` says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Front {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) gates: Gates,
    pub(crate) run: Option<RunBlock>,
}

/// Reads a `SKILL.md`. One without frontmatter says nothing but its first line of prose.
pub(crate) fn parse(text: &str) -> Result<Front, ManifestError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(block) = split(text)? else {
        return Ok(Front {
            description: first_prose(text),
            ..Front::default()
        });
    };
    // The opening `---` is line 1 of the file: an empty line in its place keeps the parser's count right.
    let (yaml, lifted) = lift_metadata(&format!("\n{block}"));
    let written = read_yaml(&yaml)?;
    Ok(written.into_front(lifted))
}

/// The lines between the fences; `None` when the text does not begin with one.
fn split(text: &str) -> Result<Option<&str>, ManifestError> {
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == "---") else {
        return Ok(None);
    };
    let mut end = first.len();
    for line in lines {
        if line.trim_end() == "---" {
            return Ok(Some(&text[first.len()..end]));
        }
        end += line.len();
    }
    Err(ManifestError::at(
        FILE,
        1,
        "the frontmatter that begins here is never closed by a line `---`",
    ))
}

/// The first line of Markdown that is neither empty nor a heading, else the first heading.
fn first_prose(text: &str) -> Option<String> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find(|line| !line.starts_with(['#', '-', '`', '>', '|', '<', '*', '=']))
        .or_else(|| {
            lines()
                .next()
                .map(|line| line.trim_start_matches('#').trim())
        })
        .filter(|line| !line.is_empty())
        .map(|line| line.chars().take(1024).collect())
}

#[derive(Default, Deserialize)]
struct Written {
    #[serde(default)]
    name: Option<Plain>,
    #[serde(default)]
    description: Option<Plain>,
    #[serde(default)]
    version: Option<Plain>,
    #[serde(default)]
    category: Option<Plain>,
    #[serde(default)]
    author: Option<Plain>,
    #[serde(default)]
    homepage: Option<Plain>,
    #[serde(default)]
    tags: Option<Words>,
    #[serde(default)]
    metadata: Option<Embedded<Metadata>>,
}

impl Written {
    fn into_front(self, lifted: Option<Metadata>) -> Front {
        let metadata = lifted
            .or(self.metadata.map(|metadata| metadata.0))
            .unwrap_or_default();
        let (gates, homepage) = metadata.gates.unwrap_or_default().split();
        let plain =
            |plain: Option<Plain>| plain.map(|plain| plain.0).filter(|text| !text.is_empty());
        Front {
            name: plain(self.name),
            description: plain(self.description),
            version: plain(self.version).or(metadata.version),
            category: plain(self.category).or(metadata.category),
            author: plain(self.author).or(metadata.author),
            homepage: plain(self.homepage).or(homepage),
            tags: self.tags.map_or(metadata.tags, |tags| tags.0),
            gates,
            run: metadata.run,
        }
    }
}

/// A YAML scalar by its spelling: `1.10` is a version, not the number 1.1.
struct Plain(String);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlainVisitor;

        impl Visitor<'_> for PlainVisitor {
            type Value = Plain;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
                Ok(Plain(text.trim().to_owned()))
            }
        }

        deserializer.deserialize_str(PlainVisitor)
    }
}

/// Takes `metadata` out when it is written as JSON5 (`metadata: {openclaw:{always:true}}`, often in one line), which YAML
/// would read as something else; the lines stay, empty, so that the count stays right. What JSON5 cannot read is left
/// for YAML to read or to complain about.
fn lift_metadata(block: &str) -> (String, Option<Metadata>) {
    let lines: Vec<&str> = block.split('\n').collect();
    let found = lines.iter().position(|line| line.starts_with("metadata:"));
    let Some((start, after)) =
        found.and_then(|at| Some((at, lines[at].strip_prefix("metadata:")?)))
    else {
        return (block.to_owned(), None);
    };
    let end = (start + 1..lines.len())
        .find(|at| begins_key(lines[*at]))
        .unwrap_or(lines.len());
    let mut text = after.to_owned();
    for line in &lines[start + 1..end] {
        text.push('\n');
        text.push_str(line);
    }
    let metadata = text
        .trim_start()
        .starts_with('{')
        .then(|| from_json5::<Metadata>(&text).ok())
        .flatten();
    if metadata.is_none() {
        return (block.to_owned(), None);
    }
    let kept: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if (start..end).contains(&at) { "" } else { line })
        .collect();
    (kept.join("\n"), metadata)
}

/// Whether a line begins a key of the outermost mapping.
fn begins_key(line: &str) -> bool {
    let word = line
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(line.len());
    word > 0 && line[word..].starts_with(':')
}

fn read_yaml(yaml: &str) -> Result<Written, ManifestError> {
    match serde_saphyr::from_str_with_options::<Option<Written>>(yaml, options()) {
        Ok(written) => Ok(written.unwrap_or_default()),
        Err(error) => {
            // OpenClaw reads line by line what YAML refuses, and `description: Use when: asked` is common.
            let repaired = quote_loose_text(yaml).and_then(|yaml| {
                serde_saphyr::from_str_with_options::<Option<Written>>(&yaml, options()).ok()
            });
            match repaired {
                Some(written) => Ok(written.unwrap_or_default()),
                None => Err(yaml_error(&error)),
            }
        }
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
    }
}

fn yaml_error(error: &serde_saphyr::Error) -> ManifestError {
    let text = error.without_snippet().to_string();
    let Some(place) = error.location().filter(|place| place.line() > 0) else {
        return ManifestError::whole(FILE, text);
    };
    let suffix = format!(" at line {}, column {}", place.line(), place.column());
    ManifestError::at(
        FILE,
        place.line(),
        text.strip_suffix(&suffix).unwrap_or(&text),
    )
}

/// Puts quotes round one-line texts of the outermost mapping that YAML cannot read bare; `None` when there is none.
fn quote_loose_text(yaml: &str) -> Option<String> {
    let mut changed = false;
    let lines: Vec<String> = yaml
        .split('\n')
        .map(|line| {
            let pair = line.split_once(':').filter(|_| begins_key(line));
            match pair.map(|(key, value)| (key, value.trim())) {
                Some((key, value)) if is_loose(key, value) => {
                    changed = true;
                    format!("{key}: '{}'", value.replace('\'', "''"))
                }
                _ => line.to_owned(),
            }
        })
        .collect();
    changed.then(|| lines.join("\n"))
}

/// Whether a value is prose that only looks like YAML: a colon in it or, in a description, a first character that means
/// something else.
fn is_loose(key: &str, value: &str) -> bool {
    let structured =
        value.starts_with(['"', '\'', '{', '[', '|', '>', '&', '*', '!', '@', '`', '%']);
    let block = value.starts_with(['|', '>']) && value.len() <= 3;
    let quoted = ['"', '\'']
        .iter()
        .any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote));
    if structured {
        key == "description" && !block && !quoted
    } else {
        value.contains(": ") || value.ends_with(':')
    }
}
