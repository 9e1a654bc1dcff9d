//! The table of all keys: what the environment and flags can set, and how their text is read.

/// How the text of an environment variable or flag becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands; also times, bytes and words.
    Text,
    /// As it stands; a relative path is resolved after loading.
    Path,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// Texts separated by commas.
    List,
    /// Entries, each set on its own as `<key>.<name>`.
    Map,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.name`.
    pub path: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// Whether listings hide its value.
    pub secret: bool,
}

impl Key {
    /// Whether it may be absent; an empty text then means that it is.
    pub(crate) fn optional(&self) -> bool {
        OPTIONAL.contains(&self.path)
    }
}

const fn key(path: &'static str, kind: Kind) -> Key {
    Key {
        path,
        kind,
        secret: false,
    }
}

const fn secret(path: &'static str, kind: Kind) -> Key {
    Key {
        path,
        kind,
        secret: true,
    }
}

/// Every setting there is, in the order of the shipped file.
pub const KEYS: &[Key] = &[
    key("storage.type", Kind::Text),
    key("storage.path", Kind::Path),
    key("coordinator.host", Kind::Text),
    key("coordinator.port", Kind::Integer),
    key("coordinator.heartbeat_timeout", Kind::Text),
    key("coordinator.heartbeat_check_interval", Kind::Text),
    key("worker.max_concurrent_tasks", Kind::Integer),
    key("worker.heartbeat_interval", Kind::Text),
    key("worker.skills_dir", Kind::Path),
    key("worker.port", Kind::Integer),
    key("worker.coordinator", Kind::List),
    key("worker.node_id", Kind::Text),
    key("worker.data_dir", Kind::Path),
    key("worker.tags", Kind::List),
    key("worker.pass_env", Kind::List),
    secret("worker.env", Kind::Map),
    key("worker.allow_commands", Kind::Boolean),
    key("worker.drain_timeout", Kind::Text),
    key("worker.prefetch", Kind::Integer),
    key("worker.cpus", Kind::Number),
    key("worker.memory", Kind::Text),
    key("worker.gpus", Kind::Integer),
    key("worker.pools", Kind::Map),
    secret("communication.nats_url", Kind::Text),
    key("log.level", Kind::Text),
    key("log.format", Kind::Text),
    key("log.dir", Kind::Path),
    key("log.keep_days", Kind::Integer),
    key("log.max_size_mb", Kind::Integer),
    key("scheduler.strategy", Kind::Text),
    key("limits.queue", Kind::Integer),
    key("limits.nodes", Kind::Integer),
    key("limits.classes", Kind::Integer),
    key("limits.parameters", Kind::Text),
    key("limits.result", Kind::Text),
    key("limits.metadata", Kind::Text),
    key("limits.key", Kind::Text),
    key("limits.json_depth", Kind::Integer),
    key("limits.batch_tasks", Kind::Integer),
    key("limits.batch_bytes", Kind::Text),
    key("limits.inputs", Kind::Text),
    key("limits.outputs", Kind::Text),
    key("security.trusted_networks", Kind::List),
    key("security.allowed_hosts", Kind::List),
    key("cluster.name", Kind::Text),
];

/// The settings that have no value until one is given.
const OPTIONAL: [&str; 5] = [
    "worker.node_id",
    "worker.data_dir",
    "worker.cpus",
    "worker.memory",
    "communication.nats_url",
];

/// How alike two names must be for one to be offered in place of the other.
const ALIKE: f64 = 0.8;

/// The key of this path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key a path lies in: itself, or the map it is an entry of.
pub(crate) fn covering(path: &str) -> Option<&'static Key> {
    let entry_of = |key: &&Key| {
        path.strip_prefix(key.path)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    find(path).or_else(|| KEYS.iter().find(entry_of))
}

/// The most similar of some names, when one is similar enough to be what was meant.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let likeness = |name: &&str| strsim::jaro_winkler(given, name);
    let best = names
        .into_iter()
        .max_by(|left, right| likeness(left).total_cmp(&likeness(right)))?;
    (strsim::jaro_winkler(given, best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_table_names_every_setting_and_nothing_else() {
        let settings = serde_json::to_value(Settings::default()).unwrap();
        let sections = settings.as_object().unwrap();
        let typed: BTreeSet<String> = sections
            .iter()
            .flat_map(|(section, keys)| {
                keys.as_object()
                    .unwrap()
                    .keys()
                    .map(move |key| format!("{section}.{key}"))
            })
            .collect();
        let listed: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(typed, listed);
        assert_eq!(listed.len(), KEYS.len(), "no key twice");
    }

    #[test]
    fn the_optional_settings_are_those_without_a_default() {
        let settings = serde_json::to_value(Settings::default()).unwrap();
        for key in KEYS {
            let (section, name) = key.path.split_once('.').unwrap();
            assert_eq!(
                settings[section][name].is_null(),
                key.optional(),
                "{}",
                key.path
            );
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_answered_with_what_was_meant() {
        let paths = || KEYS.iter().map(|key| key.path);
        assert_eq!(
            nearest("coordinator.prot", paths()),
            Some("coordinator.port")
        );
        assert_eq!(
            nearest("worker.max_tasks", paths()),
            Some("worker.max_concurrent_tasks")
        );
        assert_eq!(nearest("zebra", paths()), None);
    }

    #[test]
    fn an_entry_belongs_to_its_map() {
        assert_eq!(covering("worker.env.TOKEN").unwrap().path, "worker.env");
        assert_eq!(covering("worker.tags[2]").unwrap().path, "worker.tags");
        assert!(covering("worker.envy").is_none());
    }
}
