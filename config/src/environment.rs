//! Settings from environment variables: `OPENCLAW__<SECTION>__<KEY>`.

use std::ffi::OsString;

use crate::error::{ConfigError, Origin};
use crate::keys::{KEYS, Key, Kind, find, nearest};
use crate::layers::{Layer, value_of};

const PREFIX: &str = "OPENCLAW__";

/// Reads those of the variables that carry the prefix; others are none of our business.
pub(crate) fn layer(variables: &[(OsString, OsString)]) -> Result<Layer, ConfigError> {
    let mut layer = Layer::default();
    for (name, text) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let origin = Origin::Variable(name.to_owned());
        let (key, entry) = named(name).ok_or_else(|| unknown(name))?;
        let text = text.to_str().ok_or_else(|| ConfigError::Value {
            key: key.path.to_owned(),
            origin: origin.clone(),
            message: "its value is not valid UTF-8".to_owned(),
        })?;
        let value = match entry {
            None => value_of(key, text, &origin)?,
            Some(_) => config::Value::new(None, text),
        };
        layer.set(key, entry, value, origin);
    }
    Ok(layer)
}

/// The variable that sets a key.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The key a variable names and, for maps, the entry: `OPENCLAW__WORKER__ENV__LANG` is `LANG` of `worker.env`.
fn named(name: &str) -> Option<(&'static Key, Option<&str>)> {
    let (section, rest) = name.strip_prefix(PREFIX)?.split_once("__")?;
    let (key, entry) = rest
        .split_once("__")
        .map_or((rest, None), |(key, entry)| (key, Some(entry)));
    let key = find(&format!("{section}.{key}").to_ascii_lowercase())?;
    match entry {
        Some(entry) if key.kind != Kind::Map || entry.is_empty() => None,
        _ => Some((key, entry)),
    }
}

fn unknown(name: &str) -> ConfigError {
    let key = name
        .trim_start_matches(PREFIX)
        .replace("__", ".")
        .to_ascii_lowercase();
    let nearest = nearest(&key, KEYS.iter().map(|key| key.path)).map(variable_of);
    ConfigError::Unknown {
        key,
        origin: Origin::Variable(name.to_owned()),
        nearest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_its_key_and_an_entry_of_a_map() {
        assert_eq!(
            named("OPENCLAW__COORDINATOR__PORT").unwrap().0.path,
            "coordinator.port"
        );
        let (key, entry) = named("OPENCLAW__WORKER__ENV__MY__TOKEN").unwrap();
        assert_eq!((key.path, entry), ("worker.env", Some("MY__TOKEN")));
        assert!(named("OPENCLAW__COORDINATOR__PORT__X").is_none());
        assert!(named("OPENCLAW__COORDINATOR").is_none());
    }

    #[test]
    fn every_key_has_a_variable_that_names_it() {
        for key in KEYS {
            assert_eq!(named(&variable_of(key.path)).unwrap().0.path, key.path);
        }
    }
}
