//! Skills that a skill needs: names with an optional version requirement.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::value::{Json, kind_of};

/// A skill by name, with an optional version requirement: `whisper`, `whisper >= 1.2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The skill's exact name.
    pub name: String,
    /// What its version must satisfy.
    pub version: Option<VersionReq>,
}

/// A comparison with a dotted version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionReq {
    op: Op,
    version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    AtLeast,
    Above,
    AtMost,
    Below,
    /// Same first number that is not zero, and at least this.
    Compatible,
}

const OPS: [(&str, Op); 8] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("==", Op::Equal),
    ("~=", Op::Compatible),
    ("^", Op::Compatible),
    ("=", Op::Equal),
    (">", Op::Above),
    ("<", Op::Below),
];

impl VersionReq {
    /// Whether a version satisfies it.
    pub fn matches(&self, version: &str) -> bool {
        let order = compare(version, &self.version);
        match self.op {
            Op::Equal => order == Ordering::Equal,
            Op::AtLeast => order != Ordering::Less,
            Op::Above => order == Ordering::Greater,
            Op::AtMost => order != Ordering::Greater,
            Op::Below => order == Ordering::Less,
            Op::Compatible => order != Ordering::Less && leading(version) == leading(&self.version),
        }
    }
}

/// Compares versions part by part: numbers as numbers, everything else as text; missing parts count as zero, and a
/// pre-release (`1.0-beta`) stands before its release.
fn compare(left: &str, right: &str) -> Ordering {
    let (left, left_pre) = parts(left);
    let (right, right_pre) = parts(right);
    for at in 0..left.len().max(right.len()) {
        let part = |parts: &[&str]| parts.get(at).copied().unwrap_or("0").to_owned();
        let (a, b) = (part(&left), part(&right));
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(&b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }
}

fn parts(version: &str) -> (Vec<&str>, Option<&str>) {
    let version = version.trim().trim_start_matches(['v', 'V']);
    let version = version.split('+').next().unwrap_or(version);
    let (numbers, pre) = version
        .split_once('-')
        .map_or((version, None), |(numbers, pre)| (numbers, Some(pre)));
    (numbers.split('.').collect(), pre)
}

fn leading(version: &str) -> Vec<String> {
    let (parts, _) = parts(version);
    let end = parts
        .iter()
        .position(|part| *part != "0")
        .map_or(parts.len(), |at| at + 1);
    parts[..end].iter().map(|&part| part.to_owned()).collect()
}

impl fmt::Display for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPS
            .iter()
            .rev()
            .find(|(_, op)| *op == self.op)
            .map_or("=", |(sign, _)| sign);
        write!(f, "{sign} {}", self.version)
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for VersionReq {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (op, version) = OPS
            .iter()
            .find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (*op, rest.trim())))
            .unwrap_or((Op::Equal, text));
        if version.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && !version.contains(char::is_whitespace)
        {
            Ok(Self {
                op,
                version: version.to_owned(),
            })
        } else {
            Err(format!("`{text}` is not a version requirement like >= 1.2"))
        }
    }
}

impl FromStr for Dependency {
    type Err = String;

    /// Reads `name`, `name >= 1.2`, `name@1.2`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text
            .find(|c: char| "<>=~^@".contains(c) || c.is_whitespace())
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim().trim_start_matches('@');
        Self::new(name, rest)
    }
}

impl Dependency {
    fn new(name: &str, version: &str) -> Result<Self, String> {
        let name = name.trim();
        if name.is_empty() {
            return Err("a dependency without a name".to_owned());
        }
        let version = match version.trim() {
            "" | "*" | "latest" => None,
            version => Some(version.parse()?),
        };
        Ok(Self {
            name: name.to_owned(),
            version,
        })
    }
}

/// Dependencies as written: names, objects with `name` and `version`, or a mapping of name to version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Dependencies(pub(crate) Vec<Dependency>);

impl<'de> Deserialize<'de> for Dependencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = match Json::deserialize(deserializer)?.0 {
            Value::Null => Ok(Vec::new()),
            Value::String(name) => name.parse().map(|dependency| vec![dependency]),
            Value::Array(items) => items.iter().filter_map(one).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(name, version)| Dependency::new(name, version.as_str().unwrap_or("")))
                .collect(),
            other => Err(format!(
                "dependencies must be a list of skills, found {}",
                kind_of(&other)
            )),
        };
        list.map(Self).map_err(D::Error::custom)
    }
}

/// One entry; `None` for one that is optional, which binds nobody.
fn one(item: &Value) -> Option<Result<Dependency, String>> {
    match item {
        Value::String(text) => Some(text.parse()),
        Value::Object(fields) => {
            if fields.get("optional").and_then(Value::as_bool) == Some(true)
                || fields.get("required").and_then(Value::as_bool) == Some(false)
            {
                return None;
            }
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            let name = text("name").or_else(|| text("skill")).unwrap_or("");
            Some(Dependency::new(name, text("version").unwrap_or("")))
        }
        other => Some(Err(format!(
            "a dependency must be a name or an object, found {}",
            kind_of(other)
        ))),
    }
}

#[cfg(test)]
mod tests;
