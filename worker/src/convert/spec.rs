//! A task's specification as the worker runs it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use openclaw_common::id::TaskId;
use openclaw_proto::v1;
use prost::Message as _;

use super::incoming::lease;
use crate::model::{Demand, InputFile, Job, Spec};
use crate::state::Offered;

/// Longest name of an input file in bytes.
const NAME_BYTES: usize = 255;
/// Most input files of a task.
const INPUTS: usize = 10_000;
/// Most extra environment variables of a task.
const VARIABLES: usize = 1_000;
/// What an ordinary task takes of a slot, in thousandths.
const SLOT_MILLI: u32 = 1_000;
/// What a task that mostly waits takes of a slot, in thousandths.
const IO_SLOT_MILLI: u32 = 500;
/// What a computing task takes when it declares nothing, in thousandths of a core.
const COMPUTE_CPU_MILLI: u32 = 1_000;

/// Why an offer cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is no encoded specification.
    #[error("the offer's task_spec cannot be decoded: {0}")]
    Decode(String),
    /// One of its fields has no meaning here.
    #[error("the offer's {field}: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// An offer as an attempt to run, or as one that cannot be read. `None` when it does not say which attempt it is.
pub fn job(offer: v1::Offer) -> Option<Offered> {
    let lease = lease(offer.lease)?;
    let attempt = offer.attempt;
    let decoded =
        v1::TaskSpec::decode(offer.task_spec).map_err(|error| SpecError::Decode(error.to_string()));
    let task_id = decoded
        .as_ref()
        .ok()
        .and_then(|wire| wire.task_id.parse().ok());
    Some(match decoded.and_then(Spec::try_from) {
        Ok(spec) => Offered::Job(Box::new(Job {
            lease,
            attempt,
            spec,
        })),
        Err(error) => {
            let task_id = task_id.unwrap_or_default();
            Offered::Unreadable {
                lease,
                task_id,
                attempt,
                why: error.to_string(),
            }
        }
    })
}

impl TryFrom<v1::TaskSpec> for Spec {
    type Error = SpecError;

    fn try_from(wire: v1::TaskSpec) -> Result<Self, SpecError> {
        let task_id: TaskId = wire
            .task_id
            .parse()
            .map_err(|error| wrong("task_id", &error))?;
        let kind = wire.task_type();
        if wire.skill.is_empty() == wire.command.is_empty() {
            return Err(wrong("skill", "a task names either a skill or a command"));
        }
        // Daemons are kept running until cancelled: no time limit ends them.
        let daemon = kind == v1::TaskType::Daemon;
        let limit = |field, value| if daemon { Ok(None) } else { span(field, value) };
        Ok(Self {
            task_id,
            timeout: limit("timeout", wire.timeout)?,
            progress_timeout: limit("progress_timeout", wire.progress_timeout)?,
            skill: wire.skill,
            command: wire.command,
            parameters: object_or_empty(wire.parameters),
            inputs: inputs(wire.inputs)?,
            env: variables(wire.env)?,
            keep_awake: wire.keep_awake,
            demand: demand(kind, wire.resources),
        })
    }
}

fn wrong(field: &'static str, what: &(impl ToString + ?Sized)) -> SpecError {
    SpecError::Field {
        field,
        what: what.to_string(),
    }
}

fn span(
    field: &'static str,
    value: Option<prost_types::Duration>,
) -> Result<Option<Duration>, SpecError> {
    let Some(value) = value else { return Ok(None) };
    let span = Duration::try_from(value).map_err(|error| wrong(field, &error))?;
    // Zero is how clients write "none".
    Ok(Some(span).filter(|span| !span.is_zero()))
}

/// What a program reads as its parameters is an object, even when the task names none.
fn object_or_empty(parameters: String) -> String {
    if parameters.trim().is_empty() {
        "{}".to_owned()
    } else {
        parameters
    }
}

fn inputs(wire: Vec<v1::InputFile>) -> Result<Vec<InputFile>, SpecError> {
    if wire.len() > INPUTS {
        return Err(wrong(
            "inputs",
            &format!("{} files; at most {INPUTS}", wire.len()),
        ));
    }
    wire.into_iter().map(input).collect()
}

fn input(wire: v1::InputFile) -> Result<InputFile, SpecError> {
    let plain = !wire.name.is_empty()
        && wire.name.len() <= NAME_BYTES
        && wire.name != "."
        && wire.name != ".."
        && !wire.name.contains(['/', '\\', '\0']);
    if !plain {
        let shown: String = wire.name.chars().take(80).collect();
        return Err(wrong(
            "inputs",
            &format!("`{shown}` is not a plain file name"),
        ));
    }
    match wire.content {
        Some(v1::input_file::Content::Inline(content)) => Ok(InputFile {
            name: wire.name,
            content,
        }),
        None => {
            let what = format!(
                "the content of `{}` is of a kind that this worker does not know; upgrade it",
                wire.name
            );
            Err(wrong("inputs", &what))
        }
    }
}

fn variables(wire: HashMap<String, String>) -> Result<BTreeMap<String, String>, SpecError> {
    if wire.len() > VARIABLES {
        return Err(wrong(
            "env",
            &format!("{} variables; at most {VARIABLES}", wire.len()),
        ));
    }
    let unusable = |(key, value): &(&String, &String)| {
        key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')
    };
    if let Some((key, _)) = wire.iter().find(unusable) {
        let shown: String = key.chars().take(80).collect();
        return Err(wrong(
            "env",
            &format!("`{shown}` cannot be an environment variable"),
        ));
    }
    Ok(wire.into_iter().collect())
}

/// What a task takes: its declared resources, with the defaults of its type.
fn demand(kind: v1::TaskType, resources: Option<v1::Resources>) -> Demand {
    let resources = resources.unwrap_or_default();
    let cpu_milli = match (resources.cpu_milli, kind) {
        (0, v1::TaskType::ComputeIntensive) => COMPUTE_CPU_MILLI,
        (declared, _) => declared,
    };
    Demand {
        slots_milli: if kind == v1::TaskType::IoIntensive {
            IO_SLOT_MILLI
        } else {
            SLOT_MILLI
        },
        cpu_milli,
        memory_bytes: resources.memory_bytes,
        gpus: resources.gpus,
        custom: resources
            .custom
            .into_iter()
            .filter(|(_, units)| *units > 0)
            .collect(),
    }
}
