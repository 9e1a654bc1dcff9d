//! The file that is shipped says what the program does.

use std::path::{Path, PathBuf};

use crate::error::Origin;
use crate::keys::KEYS;
use crate::load::{Loaded, Loader};
use crate::settings::Settings;

const SHIPPED: &str = include_str!("../config.yaml");

fn loaded(yaml: &str) -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    Loader::new(dir.path()).file(path).load().unwrap()
}

/// The settings with paths as they were before they were resolved, and without the guide's placeholder.
fn plain(loaded: Loaded) -> Settings {
    let mut settings = loaded.settings;
    let relative = |path: &Path| PathBuf::from(".").join(path.strip_prefix(&loaded.base).unwrap());
    settings.storage.path = relative(&settings.storage.path);
    settings.worker.skills_dir = relative(&settings.worker.skills_dir);
    settings.log.dir = relative(&settings.log.dir);
    settings.communication.nats_url = None;
    settings
}

/// Takes the comment signs off the settings that are commented out, and leaves explanations as they are.
fn uncommented() -> String {
    let mut section = "";
    let mut text = String::new();
    for line in SHIPPED.lines() {
        if !line.starts_with([' ', '#']) {
            section = line.split(':').next().unwrap_or_default();
        }
        let setting = line.trim_start().strip_prefix("# ").filter(|rest| {
            let name = rest.split(':').next().unwrap_or_default();
            rest.contains(':')
                && KEYS
                    .iter()
                    .any(|key| key.path == format!("{section}.{name}"))
        });
        text.push_str(&setting.map_or_else(|| line.to_owned(), |setting| format!("  {setting}")));
        text.push('\n');
    }
    text
}

#[test]
fn the_shipped_file_says_the_defaults() {
    assert_eq!(plain(loaded(SHIPPED)), Settings::default());
}

#[test]
fn the_shipped_file_sets_every_key_of_the_guide() {
    let loaded = loaded(SHIPPED);
    let guide = [
        "storage.type",
        "storage.path",
        "coordinator.host",
        "coordinator.port",
        "coordinator.heartbeat_timeout",
        "coordinator.heartbeat_check_interval",
        "worker.max_concurrent_tasks",
        "worker.heartbeat_interval",
        "worker.skills_dir",
        "worker.port",
        "communication.nats_url",
        "log.level",
        "log.format",
    ];
    for key in guide {
        assert!(matches!(loaded.origin(key), Origin::File { .. }), "{key}");
    }
}

#[test]
fn what_is_commented_out_are_all_other_keys_with_their_defaults() {
    let loaded = loaded(&uncommented());
    for key in KEYS {
        assert!(
            matches!(loaded.origin(key.path), Origin::File { .. }),
            "{} is not in the shipped file",
            key.path
        );
    }
    assert_eq!(plain(loaded), Settings::default());
}
