//! The settings as types, with their defaults. The keys are those of `config/config.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use openclaw_common::status::Strategy;
use serde::{Deserialize, Deserializer, Serialize};

use crate::units::{self, Secret};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// All settings. After loading, the paths in it are absolute and the values obey the rules of this crate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the coordinator keeps the state of the cluster.
    #[serde(deserialize_with = "or_empty")]
    pub storage: Storage,
    /// The coordinator's address and its patience.
    #[serde(deserialize_with = "or_empty")]
    pub coordinator: Coordinator,
    /// What a worker offers and how it behaves.
    #[serde(deserialize_with = "or_empty")]
    pub worker: Worker,
    /// Bridges to the world outside.
    #[serde(deserialize_with = "or_empty")]
    pub communication: Communication,
    /// Logs of the programs themselves.
    #[serde(deserialize_with = "or_empty")]
    pub log: Log,
    /// How tasks are given to nodes.
    #[serde(deserialize_with = "or_empty")]
    pub scheduler: Scheduler,
    /// Bounds of what the coordinator accepts.
    #[serde(deserialize_with = "or_empty")]
    pub limits: Limits,
    /// Who is trusted beyond loopback and the tailnet.
    #[serde(deserialize_with = "or_empty")]
    pub security: Security,
    /// The cluster as a whole.
    #[serde(deserialize_with = "or_empty")]
    pub cluster: Cluster,
}

/// `storage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The engine.
    #[serde(rename = "type")]
    pub kind: StorageType,
    /// Its file or directory; the folder round it holds the data of coordinator and workers.
    pub path: PathBuf,
}

/// `storage.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageType {
    /// The embedded store; what is shipped.
    #[default]
    Sled,
    /// Forgets everything at the end of the process.
    Memory,
    /// One SQLite database.
    Sqlite,
}

/// `coordinator`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Coordinator {
    /// Address to listen on: an IP address, a host name, or `tailscale` for loopback and the tailnet address only.
    pub host: String,
    /// The one port for gRPC and HTTP.
    pub port: u16,
    /// How long a lease lives after the last heartbeat.
    #[serde(with = "units::span")]
    pub heartbeat_timeout: Duration,
    /// How often silent nodes are looked for.
    #[serde(with = "units::span")]
    pub heartbeat_check_interval: Duration,
}

/// `worker`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Slots: ordinary tasks that run at the same time.
    pub max_concurrent_tasks: u32,
    /// Longest time between two heartbeats.
    #[serde(with = "units::span")]
    pub heartbeat_interval: Duration,
    /// Folder that holds skills.
    pub skills_dir: PathBuf,
    /// Reported, never listened on.
    pub port: u16,
    /// Coordinators to dial, in this order: `host`, `host:port` or `http://host:port`.
    #[serde(deserialize_with = "or_empty")]
    pub coordinator: Vec<String>,
    /// Name of the node; the host's name when absent.
    pub node_id: Option<String>,
    /// Where the worker keeps identity, spool and attempts; see [`Settings::worker_dir`].
    pub data_dir: Option<PathBuf>,
    /// Tags that tasks can ask for.
    #[serde(deserialize_with = "or_empty")]
    pub tags: Vec<String>,
    /// Environment variables of the worker that skills see.
    #[serde(deserialize_with = "or_empty")]
    pub pass_env: Vec<String>,
    /// Variables added to the environment of every skill. Values are hidden in listings.
    #[serde(deserialize_with = "or_empty")]
    pub env: BTreeMap<String, Secret>,
    /// Whether tasks may name a program to run instead of a skill.
    pub allow_commands: bool,
    /// How long running tasks may go on after a request to stop.
    #[serde(with = "units::span")]
    pub drain_timeout: Duration,
    /// Most offers held beyond the free slots; less while tasks are long.
    pub prefetch: u32,
    /// Processors offered to tasks, 0.5 is half of one; the machine's when absent.
    pub cpus: Option<f64>,
    /// Bytes of memory offered to tasks; the machine's when absent.
    #[serde(with = "units::bytes::optional")]
    pub memory: Option<u64>,
    /// Graphics processors offered to tasks.
    pub gpus: u32,
    /// Further pools by name, in whole units.
    #[serde(deserialize_with = "or_empty")]
    pub pools: BTreeMap<String, u64>,
}

/// `communication`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Communication {
    /// NATS servers, separated by commas. Nothing depends on it; see also [`Settings::nats_host`].
    pub nats_url: Option<Secret>,
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// DEBUG, INFO, WARNING, ERROR, or directives such as `info,openclaw_core=debug`.
    pub level: String,
    /// Format of the files, and of the console when it is no terminal.
    pub format: LogFormat,
    /// Folder of the log files.
    pub dir: PathBuf,
    /// Days after which log files are deleted.
    pub keep_days: u32,
    /// Megabytes (2^20 bytes) after which a log file is set aside.
    pub max_size_mb: u32,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Plain text.
    Text,
}

/// `scheduler`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// How a node is chosen for tasks that name no strategy.
    #[serde(with = "units::word")]
    pub strategy: Strategy,
}

/// `limits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Tasks that are not final.
    pub queue: u64,
    /// Nodes known.
    pub nodes: u64,
    /// Different sets of hard requirements among the waiting tasks.
    pub classes: u64,
    /// Bytes of a task's parameters.
    #[serde(with = "units::bytes")]
    pub parameters: u64,
    /// Bytes of a task's result.
    #[serde(with = "units::bytes")]
    pub result: u64,
    /// Bytes of a task's metadata.
    #[serde(with = "units::bytes")]
    pub metadata: u64,
    /// Bytes of an idempotency key.
    #[serde(with = "units::bytes")]
    pub key: u64,
    /// Levels of nested JSON.
    pub json_depth: u32,
    /// Tasks in one request.
    pub batch_tasks: u64,
    /// Bytes of one request with tasks.
    #[serde(with = "units::bytes")]
    pub batch_bytes: u64,
    /// Bytes of a task's input files together.
    #[serde(with = "units::bytes")]
    pub inputs: u64,
    /// Bytes of a task's output files together.
    #[serde(with = "units::bytes")]
    pub outputs: u64,
}

/// `security`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Security {
    /// Networks whose peers may send their token in plain text, beside loopback and the tailnet.
    #[serde(with = "units::networks")]
    pub trusted_networks: Vec<IpNet>,
    /// Names under which the coordinator may be called, beside the machine's own.
    #[serde(deserialize_with = "or_empty")]
    pub allowed_hosts: Vec<String>,
}

/// `cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// What people call it.
    pub name: String,
}

impl Settings {
    /// Where the coordinator keeps its lock, token, logs of tasks and exports: `<parent of storage.path>/coordinator`.
    pub fn coordinator_dir(&self) -> PathBuf {
        self.data_parent().join("coordinator")
    }

    /// Where the worker `node_id` keeps its data: `worker.data_dir`, else `<parent of storage.path>/worker/<node_id>`.
    /// `node_id` must be a valid one, which is a plain file name on every system.
    pub fn worker_dir(&self, node_id: &str) -> PathBuf {
        match &self.worker.data_dir {
            Some(dir) => dir.clone(),
            None => self.data_parent().join("worker").join(node_id),
        }
    }

    fn data_parent(&self) -> &Path {
        self.storage.path.parent().unwrap_or(Path::new("."))
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: StorageType::default(),
            path: "./data/cluster.db".into(),
        }
    }
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port: 8888,
            heartbeat_timeout: Duration::from_secs(90),
            heartbeat_check_interval: Duration::from_secs(30),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            max_concurrent_tasks: 5,
            heartbeat_interval: Duration::from_secs(5),
            skills_dir: "./skills".into(),
            port: 18789,
            coordinator: Vec::new(),
            node_id: None,
            data_dir: None,
            tags: Vec::new(),
            pass_env: Vec::new(),
            env: BTreeMap::new(),
            allow_commands: false,
            drain_timeout: Duration::from_secs(30),
            prefetch: 64,
            cpus: None,
            memory: None,
            gpus: 0,
            pools: BTreeMap::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "INFO".to_owned(),
            format: LogFormat::Json,
            dir: "./logs".into(),
            keep_days: 14,
            max_size_mb: 50,
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            strategy: Strategy::LeastTasks,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1_000_000,
            nodes: 10_000,
            classes: 10_000,
            parameters: MIB,
            result: MIB,
            metadata: 16 * KIB,
            key: 255,
            json_depth: 64,
            batch_tasks: 10_000,
            batch_bytes: 4 * MIB,
            inputs: 512 * KIB,
            outputs: MIB,
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "home".to_owned(),
        }
    }
}

/// A section, list or map of which all entries are commented out is empty, not wrong.
fn or_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
