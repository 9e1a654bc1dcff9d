//! One source of values, in the form that the layering library merges, and how texts become values.

use std::collections::BTreeMap;

use config::{Map, Source, Value, ValueKind};

use crate::error::{ConfigError, Origin};
use crate::keys::{Key, Kind};

/// The values of one source and where each of them stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    values: Vec<(String, Value)>,
    origins: Vec<(String, Origin)>,
}

impl Layer {
    /// Sets a key, or an entry of a map key.
    pub(crate) fn set(&mut self, key: &Key, entry: Option<&str>, value: Value, origin: Origin) {
        let (path, value) = match entry {
            None => (key.path.to_owned(), value),
            // As a table: the library would take a dot or a bracket in the entry's name for a path.
            Some(name) => (key.path.to_owned(), table([(name.to_owned(), value)])),
        };
        self.values.push((path.clone(), value));
        self.origins.push((
            entry.map_or(path, |name| format!("{}.{name}", key.path)),
            origin,
        ));
    }

    /// Adds where its values stand, over what is known of lower layers.
    pub(crate) fn note_origins(&self, into: &mut BTreeMap<String, Origin>) {
        into.extend(self.origins.iter().cloned());
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let mut all: Map<String, Value> = Map::new();
        for (key, value) in &self.values {
            match (all.get_mut(key).map(|known| &mut known.kind), &value.kind) {
                (Some(ValueKind::Table(known)), ValueKind::Table(more)) => {
                    known.extend(
                        more.iter()
                            .map(|(name, value)| (name.clone(), value.clone())),
                    );
                }
                _ => drop(all.insert(key.clone(), value.clone())),
            }
        }
        Ok(all)
    }
}

/// Reads the text of a variable or flag as a setting of this kind.
pub(crate) fn value_of(key: &Key, text: &str, origin: &Origin) -> Result<Value, ConfigError> {
    let refused = |expected: &str| {
        let shown = if key.secret {
            "its value".to_owned()
        } else {
            format!("{text:?}")
        };
        let message = format!("{shown} is not {expected}");
        ConfigError::Value {
            key: key.path.to_owned(),
            origin: origin.clone(),
            message,
        }
    };
    let trimmed = text.trim();
    if trimmed.is_empty() && key.optional() {
        return Ok(value(ValueKind::Nil));
    }
    let kind = match key.kind {
        Kind::Text | Kind::Path => ValueKind::String(text.to_owned()),
        Kind::Integer => ValueKind::I64(trimmed.parse().map_err(|_| refused("a whole number"))?),
        Kind::Number => ValueKind::Float(trimmed.parse().map_err(|_| refused("a number"))?),
        Kind::Boolean => {
            ValueKind::Boolean(boolean(trimmed).ok_or_else(|| refused("true or false"))?)
        }
        Kind::List => {
            let parts = trimmed
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            ValueKind::Array(parts.map(|part| value(part.to_owned())).collect())
        }
        Kind::Map => return Err(refused("an entry: set each as its own, by adding its name")),
    };
    Ok(value(kind))
}

/// A value of the layering library from one of JSON.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    value(match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(truth) => ValueKind::Boolean(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => ValueKind::I64(whole),
            (None, Some(large)) => ValueKind::U64(large),
            (None, None) => ValueKind::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => ValueKind::String(text.clone()),
        Json::Array(items) => ValueKind::Array(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            return table(
                entries
                    .iter()
                    .map(|(name, entry)| (name.clone(), from_json(entry))),
            );
        }
    })
}

fn value(kind: impl Into<ValueKind>) -> Value {
    Value::new(None, kind)
}

fn table(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    value(ValueKind::Table(entries.into_iter().collect()))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}
