//! OpenClaw's own configuration on this machine, as far as skills need it: what makes a skill eligible there makes it run
//! here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::manifest::parse_json5;
use crate::read::{self, ReadError};

/// `openclaw.json`. Holds keys of paid services: its `Debug` shows none of them.
#[derive(Clone, Default, PartialEq)]
pub struct OpenClawConfig {
    root: Value,
}

/// Paths that OpenClaw takes for true when they are not set.
const TRUE_BY_DEFAULT: [&str; 2] = ["browser.enabled", "browser.evaluateEnabled"];

impl OpenClawConfig {
    /// Where OpenClaw keeps it: `$OPENCLAW_CONFIG_PATH`, else `openclaw.json` in `$OPENCLAW_STATE_DIR`, else in
    /// `.openclaw` of the home directory. `None` without any of these.
    pub fn location(
        env: impl Fn(&str) -> Option<OsString>,
        home: Option<&Path>,
    ) -> Option<PathBuf> {
        let set = |key| {
            env(key)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        set("OPENCLAW_CONFIG_PATH")
            .or_else(|| set("OPENCLAW_STATE_DIR").map(|state| state.join("openclaw.json")))
            .or_else(|| home.map(|home| home.join(".openclaw").join("openclaw.json")))
    }

    /// Reads the file; a machine without one has the empty configuration.
    ///
    /// # Errors
    /// A sentence with the path when the file is there and cannot be read.
    pub fn load(path: &Path) -> Result<Self, String> {
        match read::text_up_to(path, 4 << 20) {
            Ok(text) => Self::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(ReadError::Missing) => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Reads JSON5.
    ///
    /// # Errors
    /// What is wrong, without any of the file's content.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse_json5(text).map(|root| Self { root })
    }

    /// Whether there is a value at a dotted path that is not false, zero, empty or absent.
    pub fn is_truthy(&self, path: &str) -> bool {
        let found = path
            .split('.')
            .try_fold(&self.root, |value, key| value.get(key));
        match found {
            None | Some(Value::Null) => TRUE_BY_DEFAULT.contains(&path),
            Some(Value::Bool(value)) => *value,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }

    /// The variables that the skill's entry sets: its `env`, and its `apiKey` under the name `primary_env`.
    pub fn skill_env(&self, skill: &str, primary_env: Option<&str>) -> BTreeMap<String, String> {
        let entry = self
            .root
            .get("skills")
            .and_then(|skills| skills.get("entries"))
            .and_then(|all| all.get(skill));
        let mut env = BTreeMap::new();
        let Some(entry) = entry else {
            return env;
        };
        if let (Some(key), Some(value)) = (primary_env, entry.get("apiKey").and_then(Value::as_str))
        {
            env.insert(key.to_owned(), value.to_owned());
        }
        for (key, value) in entry
            .get("env")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(value) = value.as_str() {
                env.insert(key.clone(), value.to_owned());
            }
        }
        env.retain(|_, value| !value.trim().is_empty());
        env
    }
}

impl fmt::Debug for OpenClawConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenClawConfig").finish_non_exhaustive()
    }
}
