//! The settings in force as a list: key, value, source.

use serde_json::Value;

use crate::error::Origin;
use crate::keys::{KEYS, Key};
use crate::load::Loaded;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// One setting in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// `section.name`.
    pub key: &'static str,
    /// Its value as JSON; of secrets only whether there is one, of maps of secrets only the names.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Loaded {
    /// All settings in the order of the shipped file, secrets hidden.
    pub fn list(&self) -> Vec<Listed> {
        let all = serde_json::to_value(&self.settings).unwrap_or_default();
        let listed = |key: &Key| Listed {
            key: key.path,
            value: shown(key, &all),
            origin: self.origin(key.path),
        };
        KEYS.iter().map(listed).collect()
    }
}

/// The value of a key in settings turned into JSON, hidden when it is a secret.
pub(crate) fn shown(key: &Key, all: &Value) -> Value {
    let (section, name) = key.path.split_once('.').unwrap_or((key.path, ""));
    let value = all
        .get(section)
        .and_then(|keys| keys.get(name))
        .cloned()
        .unwrap_or_default();
    if key.secret { hidden(value) } else { value }
}

fn hidden(value: Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Object(entries) => entries
            .into_iter()
            .map(|(name, _)| (name, Value::from(HIDDEN)))
            .collect(),
        _ => Value::from(HIDDEN),
    }
}
