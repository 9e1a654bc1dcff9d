//! Configuration files for programs under test.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Settings by section and key.
#[derive(Clone, Debug, Default)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// Leases, heartbeats and sweeps short enough that a test can see one run out: 3 s, 500 ms, 500 ms.
    pub fn short_leases() -> Self {
        Self::default()
            .with("coordinator.heartbeat_timeout", "3s")
            .with("coordinator.heartbeat_check_interval", "500ms")
            .with("worker.heartbeat_interval", "500ms")
    }

    /// With one more; `key` is `section.name`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    /// With those of another on top.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (section, values) in &other.0 {
            for (name, value) in values.as_object().into_iter().flatten() {
                self.set(&format!("{section}.{name}"), value.clone());
            }
        }
        self
    }

    /// Sets one; `key` is `section.name`.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let (section, name) = key.split_once('.').expect("section.name");
        let section = self.0.entry(section).or_insert_with(|| json!({}));
        section[name] = value.into();
    }

    /// Writes them as `config.yaml` (JSON is YAML) into a folder and says where.
    pub fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("config.yaml");
        let text = serde_json::to_string_pretty(&self.0).expect("settings are JSON");
        std::fs::write(&path, text).expect("a configuration file");
        path
    }
}
