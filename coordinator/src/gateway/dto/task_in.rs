//! A submitted task from JSON onto the wire. One table names every field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openclaw_common::status::{OnLost, OnSleep, Priority, RetryOn, Strategy, TaskType};
use openclaw_proto::v1;
use openclaw_proto::v1::input_file::Content;

use super::json::{Field, Json, Wrong};
use super::scalar::{parse_span, parse_time, span_of_seconds, wire_span};
use super::text::{misread, parse};
use super::words::to_wire;
use crate::gateway::problem::Problem;

/// Levels that `{"tasks": [{"parameters": …}]}` adds to those of the parameters.
const ENVELOPE: usize = 3;

/// The tasks of one request.
#[derive(Debug, Default)]
pub(crate) struct Submission {
    /// What to run.
    pub(crate) tasks: Vec<v1::TaskSpec>,
    /// Several tasks were sent, even if it is a list of one.
    pub(crate) batch: bool,
    /// The key in the body of a batch.
    pub(crate) key: String,
}

/// Reads the body of a submit: one task, a list of tasks, or an object with the list in `tasks`. `depth` is the
/// deepest nesting allowed in a task's parameters, `most` the largest number of tasks.
pub(crate) fn submission(body: &[u8], depth: usize, most: usize) -> Result<Submission, Problem> {
    let (json, text) = parse(body, depth.saturating_add(ENVELOPE))?;
    let read = if json.is_array() {
        list(json, most, Submission::default())
    } else {
        object(json, most)
    };
    read.map_err(|Misread { wrong, index }| misread(wrong, index, text))
}

/// What could not be read, and of which task.
struct Misread {
    wrong: Wrong,
    index: Option<usize>,
}

impl From<Wrong> for Misread {
    fn from(wrong: Wrong) -> Self {
        Self { wrong, index: None }
    }
}

fn object(json: Json<'_>, most: usize) -> Result<Submission, Misread> {
    let fields = json.fields()?;
    let Some((_, tasks)) = fields.iter().find(|(name, _)| name == "tasks") else {
        let mut spec = v1::TaskSpec::default();
        json.fill(&mut spec, TASK)?;
        return Ok(Submission {
            tasks: vec![spec],
            ..Submission::default()
        });
    };
    let mut key = String::new();
    for (name, value) in &fields {
        match name.as_ref() {
            "tasks" => {}
            "idempotency_key" => key = value.read("text").map_err(|wrong| wrong.inside(name))?,
            _ => {
                let text =
                    super::words::known("field beside `tasks`", name, ["tasks", "idempotency_key"]);
                return Err(value
                    .wrong(text)
                    .inside(&name.chars().take(60).collect::<String>())
                    .into());
            }
        }
    }
    list(
        *tasks,
        most,
        Submission {
            key,
            ..Submission::default()
        },
    )
}

fn list(json: Json<'_>, most: usize, mut into: Submission) -> Result<Submission, Misread> {
    let items = json
        .items("a list of tasks")
        .map_err(|wrong| wrong.inside("tasks"))?;
    if items.len() > most {
        let text = format!(
            "{} tasks are over the limit of {most} a request; send several requests",
            items.len()
        );
        return Err(json.wrong(text).inside("tasks").into());
    }
    into.batch = true;
    into.tasks.reserve(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let mut spec = v1::TaskSpec::default();
        item.fill(&mut spec, TASK).map_err(|wrong| Misread {
            wrong,
            index: Some(index),
        })?;
        into.tasks.push(spec);
    }
    Ok(into)
}

/// Every field that a client may write. Sorted as in the documentation, not by name: errors list them so.
const TASK: &[Field<v1::TaskSpec>] = &[
    ("task_id", |task, json| text(&mut task.task_id, json)),
    ("skill", |task, json| text(&mut task.skill, json)),
    ("command", |task, json| texts(&mut task.command, json)),
    ("name", |task, json| text(&mut task.name, json)),
    ("description", |task, json| {
        text(&mut task.description, json)
    }),
    ("task_type", |task, json| {
        word::<TaskType, _>(
            &mut task.task_type,
            json,
            "TASK_TYPE_",
            v1::TaskType::from_str_name,
        )
    }),
    ("priority", |task, json| priority(&mut task.priority, json)),
    ("parameters", |task, json| {
        object_text(&mut task.parameters, json)
    }),
    ("inputs", |task, json| inputs(&mut task.inputs, json)),
    ("env", |task, json| {
        put(&mut task.env, json, "an object whose values are text")
    }),
    ("required_skills", |task, json| {
        texts(&mut task.required_skills, json)
    }),
    ("optional_skills", |task, json| {
        texts(&mut task.optional_skills, json)
    }),
    ("required_tags", |task, json| {
        texts(&mut task.required_tags, json)
    }),
    ("affinity_tags", |task, json| {
        texts(&mut task.affinity_tags, json)
    }),
    ("node", |task, json| text(&mut task.node, json)),
    ("resources", |task, json| {
        json.fill(task.resources.get_or_insert_default(), RESOURCES)
    }),
    ("strategy", |task, json| {
        word::<Strategy, _>(
            &mut task.strategy,
            json,
            "STRATEGY_",
            v1::Strategy::from_str_name,
        )
    }),
    ("timeout", |task, json| span(&mut task.timeout, json)),
    ("queue_timeout", |task, json| {
        span(&mut task.queue_timeout, json)
    }),
    ("progress_timeout", |task, json| {
        span(&mut task.progress_timeout, json)
    }),
    ("max_retries", |task, json| {
        task.max_retries = Some(json.read("a whole number from 0")?);
        Ok(())
    }),
    ("retry", |task, json| {
        json.fill(task.retry.get_or_insert_default(), RETRY)
    }),
    ("on_lost", |task, json| {
        word::<OnLost, _>(
            &mut task.on_lost,
            json,
            "ON_LOST_",
            v1::OnLost::from_str_name,
        )
    }),
    ("on_sleep", |task, json| {
        word::<OnSleep, _>(
            &mut task.on_sleep,
            json,
            "ON_SLEEP_",
            v1::OnSleep::from_str_name,
        )
    }),
    ("keep_awake", |task, json| {
        put(&mut task.keep_awake, json, "true or false")
    }),
    ("not_before", |task, json| {
        let text: String = json.read("a time as text")?;
        task.not_before = Some(parse_time(&text).map_err(|text| json.wrong(text))?);
        Ok(())
    }),
    ("ttl", |task, json| span(&mut task.ttl, json)),
    ("user_id", |task, json| text(&mut task.user_id, json)),
    ("idempotency_key", |task, json| {
        text(&mut task.idempotency_key, json)
    }),
    ("batch_id", |task, json| text(&mut task.batch_id, json)),
    ("metadata", |task, json| {
        object_text(&mut task.metadata, json)
    }),
    ("parent", |task, json| text(&mut task.parent, json)),
    ("retry_of", |task, json| text(&mut task.retry_of, json)),
];

const RESOURCES: &[Field<v1::Resources>] = &[
    ("cpus", |resources, json| {
        let cpus: f64 = json.read("a number of processors, like 1.5")?;
        resources.cpu_milli =
            milli(cpus).ok_or_else(|| json.wrong("expected a number of processors, like 1.5"))?;
        Ok(())
    }),
    ("cpu_milli", |resources, json| {
        put(
            &mut resources.cpu_milli,
            json,
            "thousandths of a processor, whole",
        )
    }),
    ("memory_bytes", |resources, json| {
        put(&mut resources.memory_bytes, json, "a whole number of bytes")
    }),
    ("gpus", |resources, json| {
        put(&mut resources.gpus, json, "a whole number")
    }),
    ("custom", |resources, json| {
        put(
            &mut resources.custom,
            json,
            "an object whose values are whole numbers",
        )
    }),
];

const RETRY: &[Field<v1::RetryPolicy>] = &[
    ("backoff", |retry, json| span(&mut retry.backoff, json)),
    ("cap", |retry, json| span(&mut retry.cap, json)),
    ("retry_on", |retry, json| {
        for item in json.items("a list of words")? {
            let mut kind = 0;
            word::<RetryOn, _>(&mut kind, item, "RETRY_ON_", v1::RetryOn::from_str_name)?;
            retry.retry_on.push(kind);
        }
        Ok(())
    }),
    ("no_retry_on", |retry, json| {
        put(&mut retry.no_retry_on, json, "a list of exit codes")
    }),
];

/// A file as it is sent: exactly one of the two contents.
#[derive(Default)]
struct Input {
    name: String,
    content: Option<Bytes>,
}

const INPUT: &[Field<Input>] = &[
    ("name", |input, json| text(&mut input.name, json)),
    ("content_base64", |input, json| {
        let encoded: String = json.read("base64 as text")?;
        let decoded = STANDARD.decode(encoded.as_bytes());
        input.give(
            json,
            decoded
                .map_err(|error| json.wrong(format!("not base64: {error}")))?
                .into(),
        )
    }),
    ("text", |input, json| {
        let content: String = json.read("text")?;
        input.give(json, content.into())
    }),
];

impl Input {
    fn give(&mut self, json: Json<'_>, content: Bytes) -> Result<(), Wrong> {
        match self.content.replace(content) {
            None => Ok(()),
            Some(_) => Err(json.wrong("give the content once: as `content_base64` or as `text`")),
        }
    }
}

fn inputs(into: &mut Vec<v1::InputFile>, json: Json<'_>) -> Result<(), Wrong> {
    for (index, item) in json.items("a list of files")?.into_iter().enumerate() {
        let mut input = Input::default();
        let at = |wrong: Wrong| wrong.inside(&format!("[{index}]"));
        item.fill(&mut input, INPUT).map_err(at)?;
        let Some(content) = input.content else {
            return Err(at(
                item.wrong("a file needs its content: `content_base64` or `text`")
            ));
        };
        into.push(v1::InputFile {
            name: input.name,
            content: Some(Content::Inline(content)),
        });
    }
    Ok(())
}

fn put<T: serde::de::DeserializeOwned>(
    into: &mut T,
    json: Json<'_>,
    expected: &str,
) -> Result<(), Wrong> {
    *into = json.read(expected)?;
    Ok(())
}

fn text(into: &mut String, json: Json<'_>) -> Result<(), Wrong> {
    put(into, json, "text")
}

fn texts(into: &mut Vec<String>, json: Json<'_>) -> Result<(), Wrong> {
    put(into, json, "a list of texts")
}

/// An object is kept as it was written: numbers of any size survive.
fn object_text(into: &mut String, json: Json<'_>) -> Result<(), Wrong> {
    if !json.is_object() {
        return Err(json.wrong("must be a JSON object, like {\"text\": \"hello\"}"));
    }
    json.text().clone_into(into);
    Ok(())
}

fn span(into: &mut Option<prost_types::Duration>, json: Json<'_>) -> Result<(), Wrong> {
    let parsed = match json.read::<f64>("") {
        Ok(seconds) => span_of_seconds(seconds),
        Err(_) => parse_span(&json.read::<String>("seconds as a number, or a span as text")?),
    };
    *into = Some(wire_span(parsed.map_err(|text| json.wrong(text))?));
    Ok(())
}

fn word<W, E>(
    into: &mut i32,
    json: Json<'_>,
    prefix: &str,
    find: fn(&str) -> Option<E>,
) -> Result<(), Wrong>
where
    W: std::str::FromStr<Err = openclaw_common::status::ParseWordError> + std::fmt::Display,
    E: Into<i32>,
{
    let text: String = json.read("a word")?;
    *into = to_wire::<W, E>(&text, prefix, find).map_err(|text| json.wrong(text))?;
    Ok(())
}

/// A word, or its number: 0 is critical, 3 is low.
fn priority(into: &mut i32, json: Json<'_>) -> Result<(), Wrong> {
    let Ok(number) = json.read::<usize>("") else {
        return word::<Priority, _>(
            into,
            json,
            "TASK_PRIORITY_",
            v1::TaskPriority::from_str_name,
        );
    };
    let level = Priority::ALL.get(number);
    let level = level.ok_or_else(|| {
        json.wrong(format!(
            "{number} is not a priority; use 0 (critical) to 3 (low), or the word"
        ))
    })?;
    *into = to_wire::<Priority, _>(
        level.as_str(),
        "TASK_PRIORITY_",
        v1::TaskPriority::from_str_name,
    )
    .map_err(|text| json.wrong(text))?;
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked on the line before"
)]
fn milli(cpus: f64) -> Option<u32> {
    let milli = (cpus * 1_000.0).round();
    (0.0..=f64::from(u32::MAX))
        .contains(&milli)
        .then_some(milli as u32)
}
