//! Loading: defaults, under the file, under the environment, under flags; then the rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Config, Value};

use crate::error::{ConfigError, Origin};
use crate::keys::{KEYS, covering, find, nearest};
use crate::layers::{Layer, from_json, value_of};
use crate::settings::Settings;
use crate::{environment, file, paths, validate};

/// Where settings are to be loaded from. Loading again reads the file again: that is a reload.
///
/// Has no `Debug`: the environment it holds may hold tokens.
#[derive(Clone)]
pub struct Loader {
    file: Option<PathBuf>,
    current_dir: PathBuf,
    environment: Vec<(OsString, OsString)>,
    overrides: Overrides,
}

/// Settings given as flags: key, text, and the name of the flag for messages.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<(&'static str, &'static str, String)>);

/// Settings that were read and found to obey the rules.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, with absolute paths.
    pub settings: Settings,
    /// The file they were read from, as it was named or found.
    pub file: Option<PathBuf>,
    /// What relative paths started from.
    pub base: PathBuf,
    origins: BTreeMap<String, Origin>,
}

impl Overrides {
    /// No overrides.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` (`section.name`) when the flag was given. Lists are separated by commas. Relative paths start from
    /// the current directory, not from the file's.
    #[must_use]
    pub fn with(
        mut self,
        flag: &'static str,
        key: &'static str,
        given: Option<impl ToString>,
    ) -> Self {
        if let Some(value) = given {
            self.0.push((flag, key, value.to_string()));
        }
        self
    }

    fn layer(&self) -> Result<Layer, ConfigError> {
        let mut layer = Layer::default();
        for (flag, path, text) in &self.0 {
            let origin = Origin::Flag((*flag).to_owned());
            let key = find(path).ok_or_else(|| ConfigError::Unknown {
                key: (*path).to_owned(),
                origin: origin.clone(),
                nearest: nearest(path, KEYS.iter().map(|key| key.path)).map(str::to_owned),
            })?;
            layer.set(key, None, value_of(key, text, &origin)?, origin);
        }
        Ok(layer)
    }
}

impl Loader {
    /// A loader that looks under `current_dir`, which must be absolute, and sees no environment.
    pub fn new(current_dir: impl Into<PathBuf>) -> Self {
        Self {
            file: None,
            current_dir: current_dir.into(),
            environment: Vec::new(),
            overrides: Overrides::default(),
        }
    }

    /// A loader with the current directory and environment of this process; `file` is what `-c` named.
    pub fn of_process(file: Option<PathBuf>, overrides: Overrides) -> Result<Self, ConfigError> {
        let current_dir = std::env::current_dir().map_err(ConfigError::CurrentDir)?;
        Ok(Self {
            file,
            current_dir,
            environment: std::env::vars_os().collect(),
            overrides,
        })
    }

    /// Uses this file, which then must exist.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sees these environment variables.
    #[must_use]
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.environment = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self
    }

    /// Puts these over all other sources.
    #[must_use]
    pub fn overrides(mut self, overrides: Overrides) -> Self {
        self.overrides = overrides;
        self
    }

    /// Reads, merges and checks the settings.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let file = file::choose(self.file.as_deref(), &self.current_dir)?;
        let base = paths::base(file.as_deref(), &self.current_dir);
        let mut layers = Vec::new();
        if let Some(shown) = &file {
            layers.push(file::read(&self.current_dir.join(shown), shown)?);
        }
        layers.push(environment::layer(&self.environment)?);
        layers.push(self.overrides.layer()?);
        let mut origins = BTreeMap::new();
        let mut builder = Config::builder().add_source(defaults());
        for layer in layers {
            layer.note_origins(&mut origins);
            builder = builder.add_source(layer);
        }
        let merged = builder
            .build()
            .and_then(Config::try_deserialize::<Settings>);
        let settings = merged.map_err(|error| unreadable(error, &origins))?;
        let mut loaded = Loaded {
            settings,
            file,
            base,
            origins,
        };
        loaded.resolve_paths(&self.current_dir, self.home().as_deref());
        let broken = validate::violations(&loaded);
        if broken.is_empty() {
            Ok(loaded)
        } else {
            Err(ConfigError::Invalid(broken))
        }
    }

    /// The home folder, as the environment names it.
    fn home(&self) -> Option<PathBuf> {
        let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let found = self
            .environment
            .iter()
            .find(|(variable, _)| variable == name)?;
        Some(PathBuf::from(&found.1)).filter(|home| home.is_absolute())
    }
}

impl Loaded {
    /// Where the value of a key (`section.name`) came from.
    pub fn origin(&self, key: &str) -> Origin {
        // An entry of a map speaks for the map, unless the map was given as a whole.
        let prefix = format!("{key}.");
        let entry = || {
            self.origins
                .iter()
                .find(|(known, _)| known.starts_with(&prefix))
                .map(|(_, origin)| origin)
        };
        self.origins
            .get(key)
            .or_else(entry)
            .cloned()
            .unwrap_or_default()
    }

    fn resolve_paths(&mut self, current_dir: &Path, home: Option<&Path>) {
        let settings = &self.settings;
        let resolved = |key: &str, path: &Path| {
            let from = if matches!(self.origin(key), Origin::Flag(_)) {
                current_dir
            } else {
                &self.base
            };
            paths::resolve(path, from, home)
        };
        let storage = resolved("storage.path", &settings.storage.path);
        let skills = resolved("worker.skills_dir", &settings.worker.skills_dir);
        let data = settings
            .worker
            .data_dir
            .as_ref()
            .map(|dir| resolved("worker.data_dir", dir));
        let log = resolved("log.dir", &settings.log.dir);
        self.settings.storage.path = storage;
        self.settings.worker.skills_dir = skills;
        self.settings.worker.data_dir = data;
        self.settings.log.dir = log;
    }
}

fn defaults() -> Layer {
    let mut layer = Layer::default();
    let all = serde_json::to_value(Settings::default()).unwrap_or_default();
    for key in KEYS {
        let Some((section, name)) = key.path.split_once('.') else {
            continue;
        };
        let value: Value = all
            .get(section)
            .and_then(|keys| keys.get(name))
            .map(from_json)
            .unwrap_or_default();
        layer.set(key, None, value, Origin::Default);
    }
    layer
}

/// Names the source of a value that has the wrong type.
fn unreadable(error: config::ConfigError, origins: &BTreeMap<String, Origin>) -> ConfigError {
    let (key, message) = match error {
        config::ConfigError::Type {
            unexpected,
            expected,
            key,
            ..
        } => (key, format!("found {unexpected}, expected {expected}")),
        config::ConfigError::At { error, key, .. } => (key, error.to_string()),
        other => (None, other.to_string()),
    };
    let key = key.unwrap_or_else(|| "a setting".to_owned());
    let covering = covering(&key).map_or(key.as_str(), |key| key.path);
    let origin = origins
        .get(&key)
        .or_else(|| origins.get(covering))
        .cloned()
        .unwrap_or_default();
    ConfigError::Value {
        key,
        origin,
        message,
    }
}

#[cfg(test)]
mod tests;
