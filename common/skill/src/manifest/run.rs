//! The `run` block: how a skill is started, what it takes and gives.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::value::{Bytes, Cpus, Json, Text, Timeout, Words, kind_of};
use crate::argv::Template;
use crate::host::Os;

/// How the program lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// A fresh process for every attempt.
    #[default]
    Process,
    /// One process kept warm, a request a line.
    Server,
}

/// What one attempt takes from its node beside its slot. Zero means nothing is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_milli: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Whole GPUs.
    pub gpus: u32,
}

/// A skill's test of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TestCase {
    /// Parameters of the test task.
    pub parameters: Option<Value>,
    /// Input files, relative to the skill's folder; none leaves it.
    pub inputs: Vec<String>,
    /// What the result must contain (every key given here must be there with this value).
    pub result: Option<Value>,
}

/// How a skill runs on one operating system: what an executor needs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// The command; see [`crate::argv::expand`].
    pub command: Template,
    /// How its process lives.
    pub mode: Mode,
    /// Requests in flight per warm instance; only with [`Mode::Server`]. 1 unless declared.
    pub concurrency: u32,
    /// JSON schema of the parameters.
    pub input_schema: Option<Value>,
    /// JSON schema of the result.
    pub output_schema: Option<Value>,
    /// Time limit of one attempt when the task names none.
    pub timeout: Option<Duration>,
    /// What an attempt takes.
    pub resources: Resources,
    /// A command that exits with 0 when the skill can run here.
    pub probe: Option<Template>,
    /// The skill's own test.
    pub test: Option<TestCase>,
    /// Environment variables the skill asks for; handed over when the machine has them.
    pub env: Vec<String>,
}

impl RunSpec {
    /// Whether its command or its probe uses the machine's Python.
    pub fn needs_python(&self) -> bool {
        self.command.needs_python() || self.probe.as_ref().is_some_and(Template::needs_python)
    }
}

/// A `run` block as written: the same for every system, but for what `per_os` replaces.
#[derive(Debug, Clone, PartialEq)]
pub struct RunBlock {
    common: Fields,
    per_os: BTreeMap<Os, Fields>,
}

impl RunBlock {
    /// What holds on `os`; `None` when the block has a command only for other systems.
    pub fn for_os(&self, os: Os) -> Option<RunSpec> {
        let patch = self.per_os.get(&os);
        let pick =
            |get: fn(&Fields) -> Option<Value>| patch.and_then(get).or_else(|| get(&self.common));
        let common = &self.common;
        let own = |fields: &Fields| fields.command.clone();
        Some(RunSpec {
            command: patch.and_then(own).or_else(|| own(common))?,
            mode: patch
                .and_then(|fields| fields.mode)
                .or(common.mode)
                .unwrap_or_default(),
            concurrency: patch
                .and_then(|fields| fields.concurrency)
                .or(common.concurrency)
                .unwrap_or(1),
            input_schema: pick(|fields| fields.input_schema.clone()),
            output_schema: pick(|fields| fields.output_schema.clone()),
            timeout: patch.and_then(|fields| fields.timeout).or(common.timeout),
            resources: patch
                .and_then(|fields| fields.resources)
                .or(common.resources)
                .unwrap_or_default(),
            probe: patch
                .and_then(|fields| fields.probe.clone())
                .or_else(|| common.probe.clone()),
            test: patch
                .and_then(|fields| fields.test.clone())
                .or_else(|| common.test.clone()),
            env: patch
                .and_then(|fields| fields.env.clone())
                .or_else(|| common.env.clone())
                .unwrap_or_default(),
        })
    }

    /// The systems it has a command for.
    pub fn systems(&self) -> Vec<Os> {
        [Os::Linux, Os::MacOs, Os::Windows]
            .into_iter()
            .filter(|os| {
                self.common.command.is_some()
                    || self
                        .per_os
                        .get(os)
                        .is_some_and(|fields| fields.command.is_some())
            })
            .collect()
    }
}

/// The keys of a `run` block; all but `per_os` may stand in `per_os` too.
#[derive(Debug, Clone, PartialEq, Default)]
struct Fields {
    command: Option<Template>,
    mode: Option<Mode>,
    concurrency: Option<u32>,
    input_schema: Option<Value>,
    output_schema: Option<Value>,
    timeout: Option<Duration>,
    resources: Option<Resources>,
    probe: Option<Template>,
    test: Option<TestCase>,
    env: Option<Vec<String>>,
}

const KEYS: &[&str] = &[
    "command",
    "mode",
    "concurrency",
    "input_schema",
    "output_schema",
    "timeout",
    "resources",
    "probe",
    "test",
    "env",
    "per_os",
];

impl<'de> Deserialize<'de> for RunBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let block = deserializer.deserialize_map(BlockVisitor { nested: false })?;
        if block.systems().is_empty() {
            return Err(de::Error::custom("run has no command"));
        }
        Ok(block)
    }
}

/// One system's part of a block.
struct Patch(Fields);

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(BlockVisitor { nested: true })
            .map(|block| Self(block.common))
    }
}

/// Reads a block key by key, so that the parser still stands at the line of a bad value when it is refused.
struct BlockVisitor {
    nested: bool,
}

impl<'de> Visitor<'de> for BlockVisitor {
    type Value = RunBlock;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a run block, for example {\"command\": [\"{python}\", \"{baseDir}/main.py\"]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RunBlock, A::Error> {
        let mut common = Fields::default();
        let mut per_os = BTreeMap::new();
        while let Some(Text(key)) = map.next_key::<Text>()? {
            if key == "per_os" && !self.nested {
                for (name, Patch(fields)) in map.next_value::<BTreeMap<Text, Patch>>()? {
                    let os = Os::from_name(&name.0).ok_or_else(|| {
                        de::Error::custom(format!(
                            "unknown system `{}` in per_os: linux, macos or windows",
                            name.0
                        ))
                    })?;
                    per_os.insert(os, fields);
                }
            } else {
                common.read(&key, &mut map)?;
            }
        }
        Ok(RunBlock { common, per_os })
    }
}

impl Fields {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "command" => self.command = map.next_value()?,
            "mode" => self.mode = map.next_value()?,
            "concurrency" => {
                self.concurrency = map
                    .next_value::<Option<Concurrency>>()?
                    .map(|limit| limit.0);
            }
            "input_schema" => {
                self.input_schema = map.next_value::<Option<Schema>>()?.map(|schema| schema.0);
            }
            "output_schema" => {
                self.output_schema = map.next_value::<Option<Schema>>()?.map(|schema| schema.0);
            }
            "timeout" => {
                self.timeout = map
                    .next_value::<Option<Timeout>>()?
                    .map(|timeout| timeout.0);
            }
            "resources" => self.resources = map.next_value()?,
            "probe" => self.probe = map.next_value()?,
            "test" => self.test = map.next_value()?,
            "env" => self.env = map.next_value::<Option<EnvKeys>>()?.map(|keys| keys.0),
            other => return Err(de::Error::unknown_field(other, KEYS)),
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Text::deserialize(deserializer)?.0.as_str() {
            "process" => Ok(Self::Process),
            "server" => Ok(Self::Server),
            other => Err(de::Error::unknown_variant(other, &["process", "server"])),
        }
    }
}

/// Requests in flight, from 1 to 1,000.
struct Concurrency(u32);

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u32::deserialize(deserializer)?;
        if (1..=1000).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(de::Error::custom("concurrency must be from 1 to 1000"))
        }
    }
}

/// A JSON schema: an object, or true or false.
struct Schema(Value);

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)?.0 {
            schema @ (Value::Object(_) | Value::Bool(_)) => Ok(Self(schema)),
            other => Err(de::Error::custom(format!(
                "a schema must be an object, found {}",
                kind_of(&other)
            ))),
        }
    }
}

/// Names of environment variables.
struct EnvKeys(Vec<String>);

impl<'de> Deserialize<'de> for EnvKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Words::deserialize(deserializer)?.0;
        match keys.iter().find(|key| !is_env_name(key)) {
            Some(bad) => Err(de::Error::custom(format!(
                "`{bad}` is not the name of an environment variable"
            ))),
            None => Ok(Self(keys)),
        }
    }
}

/// Whether this can be the name of an environment variable everywhere.
pub(crate) fn is_env_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            cpus: Option<Cpus>,
            #[serde(default)]
            memory: Option<Bytes>,
            #[serde(default, alias = "gpus")]
            gpu: Option<u32>,
        }
        let written = Written::deserialize(deserializer)?;
        Ok(Self {
            cpu_milli: written.cpus.map_or(0, |cpus| cpus.0),
            memory_bytes: written.memory.map_or(0, |memory| memory.0),
            gpus: written.gpu.unwrap_or(0),
        })
    }
}

impl<'de> Deserialize<'de> for TestCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            parameters: Option<Json>,
            #[serde(default)]
            inputs: Option<Words>,
            #[serde(default)]
            result: Option<Json>,
        }
        let written = Written::deserialize(deserializer)?;
        let inputs = written.inputs.unwrap_or_default().0;
        if let Some(bad) = inputs.iter().find(|path| !stays_inside(path)) {
            return Err(de::Error::custom(format!(
                "test input `{bad}` leaves the skill's folder"
            )));
        }
        let object = |json: Option<Json>| json.map(|json| json.0).filter(|value| !value.is_null());
        Ok(Self {
            parameters: object(written.parameters),
            inputs,
            result: object(written.result),
        })
    }
}

/// Whether a relative path of a manifest stays in its folder, on every system.
fn stays_inside(path: &str) -> bool {
    !path.starts_with(['/', '\\'])
        && !path.contains(':')
        && path.split(['/', '\\']).all(|part| part != "..")
}
