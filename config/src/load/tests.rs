use std::fs;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::settings::StorageType;

/// The guide's file.
const GUIDE: &str = "storage:
  type: sqlite
  path: ./data/cluster.db
coordinator:
  host: 0.0.0.0
  port: 8888
  heartbeat_timeout: 90
  heartbeat_check_interval: 30
worker:
  max_concurrent_tasks: 5
  heartbeat_interval: 5
  skills_dir: ./skills
  port: 18789
communication:
  nats_url: nats://100.x.x.x:4222
log:
  level: INFO
  format: json
";

/// A project folder with a configuration file in it.
struct Project(tempfile::TempDir);

impl Project {
    fn with(yaml: &str) -> Self {
        let project = Self::empty();
        project.write("config/config.yaml", yaml);
        project
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn loader(&self) -> Loader {
        Loader::new(self.0.path())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn loaded(&self) -> Loaded {
        self.loader().load().unwrap()
    }
}

fn refusal(loader: &Loader) -> String {
    loader.load().unwrap_err().to_string()
}

fn refusal_of(yaml: &str) -> String {
    refusal(&Project::with(yaml).loader())
}

#[test]
fn the_guides_own_keys_and_values_are_the_defaults_but_for_its_engine() {
    let project = Project::with(GUIDE);
    let mut settings = project.loaded().settings;
    assert_eq!(settings.nats_host(), None, "the placeholder is no server");
    settings.communication.nats_url = None;
    assert_eq!(settings.storage.kind, StorageType::Sqlite);
    settings.storage.kind = StorageType::default();
    assert_eq!(
        settings,
        Project::empty()
            .loader()
            .load()
            .map(|loaded| rebased(loaded, &project))
            .unwrap()
    );
}

/// Settings as if they had been loaded in another project.
fn rebased(mut loaded: Loaded, project: &Project) -> Settings {
    let base = loaded.base.clone();
    let moved = |path: &Path| project.0.path().join(path.strip_prefix(&base).unwrap());
    loaded.settings.storage.path = moved(&loaded.settings.storage.path);
    loaded.settings.worker.skills_dir = moved(&loaded.settings.worker.skills_dir);
    loaded.settings.log.dir = moved(&loaded.settings.log.dir);
    loaded.settings
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let project = Project::with("coordinator:\n  port: 1\n");
    let loader = project.loader();
    let port = |from: &Loader| {
        let found = from.load().unwrap();
        (
            found.settings.coordinator.port,
            found.origin("coordinator.port").to_string(),
        )
    };
    assert_eq!(
        port(&Project::empty().loader()),
        (8888, "default".to_owned())
    );
    assert_eq!(port(&loader), (1, "config/config.yaml:2:9".to_owned()));
    let loader = loader.environment([("OPENCLAW__COORDINATOR__PORT", "2")]);
    assert_eq!(
        port(&loader),
        (
            2,
            "environment variable OPENCLAW__COORDINATOR__PORT".to_owned()
        )
    );
    let loader = loader.overrides(Overrides::new().with("--port", "coordinator.port", Some(3)));
    assert_eq!(port(&loader), (3, "flag --port".to_owned()));
    let loader = loader.overrides(Overrides::new().with("--port", "coordinator.port", None::<u16>));
    assert_eq!(
        port(&loader).0,
        2,
        "a flag that was not given changes nothing"
    );
}

#[test]
fn every_kind_of_setting_can_come_from_the_environment() {
    let project = Project::empty();
    let loaded = project.loader().environment([
        ("OPENCLAW__COORDINATOR__HEARTBEAT_TIMEOUT", "2m"),
        ("OPENCLAW__WORKER__COORDINATOR", "mac:9000, studio"),
        ("OPENCLAW__WORKER__TAGS", ""),
        ("OPENCLAW__WORKER__ALLOW_COMMANDS", "yes"),
        ("OPENCLAW__WORKER__CPUS", "1.5"),
        ("OPENCLAW__WORKER__MEMORY", "2GiB"),
        ("OPENCLAW__WORKER__ENV__My_Key", "a,b"),
        ("OPENCLAW__WORKER__POOLS__camera", "2"),
        ("OPENCLAW__WORKER__NODE_ID", ""),
        (
            "OPENCLAW__SECURITY__TRUSTED_NETWORKS",
            "192.168.1.0/24,10.0.0.7",
        ),
        ("OPENCLAW__SCHEDULER__STRATEGY", "best_fit"),
        ("OPENCLAW_CLUSTER_TOKEN", "not a setting"),
        ("PATH", "/bin"),
    ]);
    let settings = loaded.load().unwrap().settings;
    assert_eq!(
        settings.coordinator.heartbeat_timeout,
        Duration::from_mins(2)
    );
    assert_eq!(settings.worker.coordinator, ["mac:9000", "studio"]);
    assert!(settings.worker.tags.is_empty() && settings.worker.allow_commands);
    assert_eq!(
        (settings.worker.cpus, settings.worker.memory),
        (Some(1.5), Some(2 << 30))
    );
    assert_eq!(settings.worker.env["My_Key"].expose(), "a,b");
    assert_eq!(settings.worker.pools["camera"], 2);
    assert_eq!(settings.worker.node_id, None);
    assert_eq!(settings.security.trusted_networks.len(), 2);
    assert_eq!(settings.scheduler.strategy.as_str(), "best_fit");
}

#[test]
fn entries_from_the_environment_join_those_of_the_file() {
    let project = Project::with("worker:\n  env: {A: '1', 'b.c': '2'}\n");
    let loaded = project.loader().environment([
        ("OPENCLAW__WORKER__ENV__B", "3"),
        ("OPENCLAW__WORKER__ENV__A", "4"),
    ]);
    let env = loaded.load().unwrap().settings.worker.env;
    let shown: Vec<_> = env
        .iter()
        .map(|(name, value)| format!("{name}={}", value.expose()))
        .collect();
    assert_eq!(shown, ["A=4", "B=3", "b.c=2"]);
}

#[test]
fn an_unknown_variable_is_named_with_what_was_meant() {
    let project = Project::empty();
    let text = refusal(
        &project
            .loader()
            .environment([("OPENCLAW__COORDINATER__PORT", "1")]),
    );
    assert!(
        text.contains(
            "environment variable OPENCLAW__COORDINATER__PORT: there is no setting coordinater.port"
        ),
        "{text}"
    );
    assert!(
        text.contains("did you mean OPENCLAW__COORDINATOR__PORT?"),
        "{text}"
    );
    let text = refusal(&project.loader().environment([("OPENCLAW__ZEBRA", "1")]));
    assert!(
        text.contains("OPENCLAW__ZEBRA") && !text.contains("did you mean"),
        "{text}"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_source() {
    let project = Project::empty();
    for (name, text, expected) in [
        (
            "OPENCLAW__COORDINATOR__PORT",
            "http",
            "coordinator.port from environment variable OPENCLAW__COORDINATOR__PORT: \"http\" is not a whole number",
        ),
        (
            "OPENCLAW__COORDINATOR__PORT",
            "99999",
            "coordinator.port from environment variable OPENCLAW__COORDINATOR__PORT",
        ),
        ("OPENCLAW__COORDINATOR__PORT", "", "is not a whole number"),
        (
            "OPENCLAW__COORDINATOR__PORT",
            "yes",
            "is not a whole number",
        ),
        (
            "OPENCLAW__WORKER__ALLOW_COMMANDS",
            "maybe",
            "is not true or false",
        ),
        (
            "OPENCLAW__WORKER__DRAIN_TIMEOUT",
            "soon",
            "worker.drain_timeout from environment variable OPENCLAW__WORKER__DRAIN_TIMEOUT: \"soon\" is not a time",
        ),
        (
            "OPENCLAW__STORAGE__TYPE",
            "mysql",
            "storage.type from environment variable OPENCLAW__STORAGE__TYPE",
        ),
        (
            "OPENCLAW__SCHEDULER__STRATEGY",
            "fast",
            "use one of: round_robin",
        ),
        (
            "OPENCLAW__SECURITY__TRUSTED_NETWORKS",
            "home",
            "\"home\" is not a network",
        ),
        ("OPENCLAW__WORKER__POOLS__camera", "many", "worker.pools"),
        ("OPENCLAW__WORKER__POOLS", "camera", "set each as its own"),
    ] {
        let refused = refusal(&project.loader().environment([(name, text)]));
        assert!(refused.contains(expected), "{name}={text}: {refused}");
    }
    let refused = refusal(&project.loader().overrides(Overrides::new().with(
        "--port",
        "coordinator.port",
        Some("x"),
    )));
    assert!(
        refused.contains("coordinator.port from flag --port: \"x\" is not a whole number"),
        "{refused}"
    );
}

#[test]
fn an_unknown_key_of_the_file_is_shown_in_its_line_with_what_was_meant() {
    let text = refusal_of("coordinator:\n  host: 0.0.0.0\n  prot: 9000\n");
    let expected = "config/config.yaml:3:3: there is no setting `prot` here; did you mean `port`?\n\
                    3 |   prot: 9000\n  |   ^";
    assert_eq!(text, expected);
    let text = refusal_of("coordinater:\n  port: 1\n");
    assert!(text.contains("did you mean `coordinator`?"), "{text}");
}

#[test]
fn a_value_of_the_wrong_type_in_the_file_is_shown_in_its_line() {
    for (yaml, place, cause) in [
        (
            "coordinator:\n  port: http\n",
            "yaml:2:9",
            "a whole number from 0 to 65535",
        ),
        (
            "coordinator:\n  port: 99999\n",
            "yaml:2:9",
            "a whole number from 0 to 65535",
        ),
        (
            "coordinator:\n  port:\n",
            "yaml:2:7",
            "a whole number from 0 to 65535",
        ),
        (
            "coordinator:\n  heartbeat_timeout: soon\n",
            "yaml:2:22",
            "\"soon\" is not a time",
        ),
        (
            "storage:\n  type: mysql\n",
            "yaml:2:9",
            "`mysql` is none of sled, memory, sqlite",
        ),
        (
            "scheduler:\n  strategy: fast\n",
            "yaml:2:13",
            "use one of: round_robin",
        ),
        ("worker:\n  tags: gpu\n", "yaml:2:9", "expected a list"),
        (
            "log:\n  level: [1\n",
            "yaml:2:10",
            "expected a single value",
        ),
        (
            "worker:\n  port: 1\n  port: 2\n",
            "yaml:3:3",
            "`port` stands here for the second time",
        ),
        (
            "- just\n- a list\n",
            "yaml:1:1",
            "expected keys with values",
        ),
        ("zebra: 1\n", "yaml:1:1", "known are storage, coordinator,"),
        ("worker: {\n", "yaml:", ""),
    ] {
        let text = refusal_of(yaml);
        assert!(
            text.contains(place) && text.contains(cause),
            "{place} and {cause:?} in {text}"
        );
    }
}

#[test]
fn sections_without_keys_and_files_without_sections_are_empty() {
    for yaml in [
        "",
        "# nothing\n",
        "---\n",
        "coordinator:\nworker: {}\n",
        "\u{feff}worker:\n",
    ] {
        let loaded = Project::with(yaml).loaded();
        assert_eq!(loaded.settings.coordinator.port, 8888, "{yaml:?}");
    }
}

#[test]
fn a_named_file_must_exist_and_the_usual_places_may_not() {
    let project = Project::empty();
    let text = refusal(&project.loader().file("other.yaml"));
    assert!(text.contains("other.yaml does not exist"), "{text}");
    assert_eq!(project.loaded().file, None);
    project.write("config.yaml", "coordinator: {port: 2}");
    assert_eq!(project.loaded().file, Some("config.yaml".into()));
    project.write("config/config.yaml", "coordinator: {port: 3}");
    assert_eq!(project.loaded().settings.coordinator.port, 3);
    let text = refusal(&project.loader().file("config"));
    assert!(
        text.contains("cannot read configuration file config"),
        "{text}"
    );
}

#[test]
fn relative_paths_start_where_the_file_says_and_those_of_flags_where_the_person_stands() {
    let project = Project::with("storage: {path: ./data/cluster.db}\nworker: {data_dir: mine}\n");
    project.write("sub/here", "");
    let loaded = Loader::new(project.path("sub"))
        .file("../config/config.yaml")
        .environment([("OPENCLAW__LOG__DIR", "logs-of-env")])
        .overrides(Overrides::new().with("--skills-dir", "worker.skills_dir", Some("skills")))
        .load()
        .unwrap();
    assert_eq!(
        loaded.settings.storage.path,
        project.path("data/cluster.db")
    );
    assert_eq!(loaded.settings.worker_dir("mac"), project.path("mine"));
    assert_eq!(loaded.settings.log.dir, project.path("logs-of-env"));
    assert_eq!(
        loaded.settings.worker.skills_dir,
        project.path("sub/skills")
    );
}

#[test]
fn data_lies_round_the_store() {
    let project = Project::with("storage: {path: elsewhere/cluster.db}\n");
    let settings = project.loaded().settings;
    assert_eq!(
        settings.coordinator_dir(),
        project.path("elsewhere/coordinator")
    );
    assert_eq!(
        settings.worker_dir("mac"),
        project.path("elsewhere/worker/mac")
    );
}

#[test]
fn the_listing_tells_every_key_its_value_and_source_but_no_secret() {
    let project = Project::with(
        "communication: {nats_url: 'nats://me:hunter2@mac:4222'}\nworker: {env: {KEY: hunter2}}\n",
    );
    let loaded = project.loaded();
    let listed = loaded.list();
    assert_eq!(listed.len(), KEYS.len());
    let one = |key: &str| listed.iter().find(|listed| listed.key == key).unwrap();
    assert_eq!(one("coordinator.port").value, json!(8888));
    assert_eq!(one("coordinator.heartbeat_timeout").value, json!(90));
    assert_eq!(one("coordinator.port").origin.to_string(), "default");
    assert_eq!(one("communication.nats_url").value, json!("(hidden)"));
    assert_eq!(one("worker.env").value, json!({"KEY": "(hidden)"}));
    assert_eq!(
        one("worker.env").origin.to_string(),
        "config/config.yaml:2:15"
    );
    assert!(!format!("{listed:?}{loaded:?}").contains("hunter2"));
}
