//! What every worker can run without any skill on disk: `echo`, `sleep` and `system-info`.
//!
//! No directory, no process, no thread of their own. They follow the same rules of kill and time limits as processes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use sysinfo::{Disks, System};

use crate::model::Spec;

/// Longest `sleep` in seconds: ten years. Beyond that somebody mistook the unit.
const MAX_SLEEP_SECONDS: f64 = 315_360_000.0;

/// Something compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// Returns its parameters.
    Echo,
    /// Waits.
    Sleep,
    /// Facts about the machine.
    SystemInfo,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Echo, Self::Sleep, Self::SystemInfo];

    /// The builtin of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    /// Its name as a skill.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Sleep => "sleep",
            Self::SystemInfo => "system-info",
        }
    }

    /// What it does, in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Echo => "Returns its parameters.",
            Self::Sleep => "Waits for a time, telling its progress.",
            Self::SystemInfo => {
                "Tells the operating system, processors, memory and disks of the machine it runs on."
            }
        }
    }

    /// JSON schema of its parameters.
    pub const fn input_schema(self) -> &'static str {
        match self {
            Self::Echo => r#"{"type":"object"}"#,
            Self::Sleep => {
                r#"{"type":"object","properties":{"seconds":{"type":"number","minimum":0},"ms":{"type":"integer","minimum":0}},"additionalProperties":false}"#
            }
            Self::SystemInfo => r#"{"type":"object","additionalProperties":false}"#,
        }
    }

    /// JSON schema of its result.
    pub const fn output_schema(self) -> &'static str {
        match self {
            Self::Echo => r#"{"type":"object"}"#,
            Self::Sleep => {
                r#"{"type":"object","properties":{"slept_ms":{"type":"integer"}},"required":["slept_ms"]}"#
            }
            Self::SystemInfo => {
                r#"{"type":"object","properties":{"hostname":{"type":"string"},"os":{"type":"string"},"arch":{"type":"string"},"cpus":{"type":"integer"},"memory_bytes":{"type":"integer"}}}"#
            }
        }
    }
}

/// The result of `echo`: the parameters as they came.
pub(super) fn echo(spec: &Spec) -> String {
    if spec.parameters.trim().is_empty() {
        "{}".to_owned()
    } else {
        spec.parameters.clone()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SleepParameters {
    seconds: Option<f64>,
    ms: Option<u64>,
}

/// How long to sleep, or what is wrong with the parameters of `sleep`.
pub(super) fn sleep_time(spec: &Spec) -> Result<Duration, String> {
    let text = if spec.parameters.trim().is_empty() {
        "{}"
    } else {
        spec.parameters.as_str()
    };
    let parameters: SleepParameters = serde_json::from_str(text).map_err(|error| {
        format!("parameters of sleep: {error}; use {{\"seconds\": 1.5}} or {{\"ms\": 1500}}")
    })?;
    let seconds = match (parameters.seconds, parameters.ms) {
        (None, Some(ms)) => Duration::from_millis(ms).as_secs_f64(),
        (Some(seconds), None) => seconds,
        _ => return Err("parameters of sleep: give either `seconds` or `ms`".to_owned()),
    };
    if seconds > MAX_SLEEP_SECONDS {
        return Err("parameters of sleep: longer than ten years".to_owned());
    }
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("parameters of sleep: {seconds} is not a time"))
}

/// The result of `sleep`.
pub(super) fn slept(time: Duration) -> String {
    json!({ "slept_ms": openclaw_common::time::millis(time) }).to_string()
}

/// The result of `system-info`. Reads files of the system for some milliseconds: not for the runtime's threads.
pub(super) fn system_info() -> String {
    let mut system = System::new().ok();
    if let Some(system) = &mut system {
        system.refresh_memory();
        system.refresh_cpu_all();
    }
    let disks = Disks::new_with_refreshed_list()
        .map(|disks| disks.iter().map(about_disk).collect::<Vec<_>>());
    json!({
        "hostname": System::host_name().ok(),
        "os": std::env::consts::OS,
        "os_version": System::long_os_version().ok(),
        "kernel": System::kernel_version().ok(),
        "arch": std::env::consts::ARCH,
        "cpus": system.as_ref().map(|system| system.cpus().len()),
        "cpu": system.as_ref().and_then(|system| system.cpus().first()).map(sysinfo::Cpu::brand),
        "load_average": System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]),
        "memory_bytes": system.as_ref().map(System::total_memory),
        "memory_available_bytes": system.as_ref().map(System::available_memory),
        "swap_bytes": system.as_ref().map(System::total_swap),
        "uptime_seconds": System::uptime().ok(),
        "disks": disks.unwrap_or_default(),
    })
    .to_string()
}

fn about_disk(disk: &sysinfo::Disk) -> serde_json::Value {
    json!({
        "mount": disk.mount_point().display().to_string(),
        "total_bytes": disk.total_space(),
        "available_bytes": disk.available_space(),
    })
}
