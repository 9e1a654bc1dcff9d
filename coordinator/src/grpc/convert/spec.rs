//! A submitted task from the wire into the core: every limit and every default, in one place for both faces.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use openclaw_common::backoff::Backoff;
use openclaw_common::id::{TaskId, check_node_id};
use openclaw_common::status::{RetryOn, TaskType};
use openclaw_common::time::Wall;
use openclaw_core::effect::Refusal;
use openclaw_core::model::{NewTask, Policy, Pools, Principal, Requirements, Role};
use openclaw_core::version::SkillReq;
use openclaw_proto::v1;
use prost::Message as _;

use super::checks::{check_command, check_env, check_inputs, check_texts};
use super::fields::{invalid, label, listed, pool_name, span, tags, time, too_large, within, word};
use super::limits::{CUSTOM_POOLS, Limits, RETRIES};
use super::words;
use crate::reply::refusal;

/// A task takes a whole slot, unless it mostly waits.
const SLOT_MILLI: u64 = 1_000;
const IO_SLOT_MILLI: u64 = 500;
/// What a compute task takes when it declares nothing.
const COMPUTE_CPU_MILLI: u64 = 1_000;

/// All tasks of one request, all or none. `request_key` gives task `i` the key `request_key/i` unless it has its own.
///
/// Ids that the coordinator assigns follow each other from `random` on within the millisecond of `now`. A refusal
/// names the task by its place.
pub fn new_tasks(
    specs: Vec<v1::TaskSpec>,
    request_key: &str,
    principal: &Principal,
    limits: &Limits,
    now: Wall,
    random: u128,
) -> Result<Vec<NewTask>, Refusal> {
    if specs.is_empty() {
        return Err(invalid(
            "tasks",
            "the request holds no task; give at least one",
        ));
    }
    if specs.len() > limits.tasks {
        return Err(too_large("tasks", specs.len(), limits.tasks, "tasks"));
    }
    within("idempotency_key", request_key, limits.key)?;
    let mut seen = HashSet::new();
    let mut bytes = 0_usize;
    let mut tasks = Vec::with_capacity(specs.len());
    for (index, mut spec) in specs.into_iter().enumerate() {
        if !request_key.is_empty() && spec.idempotency_key.is_empty() {
            spec.idempotency_key = format!("{request_key}/{index}");
        }
        let offset = u128::try_from(index).unwrap_or_default();
        let task = new_task(spec, principal, limits, now, random.wrapping_add(offset)).map_err(
            |refused| Refusal {
                index: Some(index),
                ..refused
            },
        )?;
        if task.id_given && !seen.insert(task.id) {
            let refused = invalid(
                "task_id",
                format!("{} stands twice in this request", task.id),
            );
            return Err(Refusal {
                index: Some(index),
                ..refused
            });
        }
        bytes = bytes.saturating_add(task.spec.len());
        tasks.push(task);
    }
    if bytes > limits.request {
        return Err(too_large("tasks", bytes, limits.request, "bytes"));
    }
    Ok(tasks)
}

/// One task. `random` holds the 80 random bits of an id that the coordinator assigns.
pub fn new_task(
    mut spec: v1::TaskSpec,
    principal: &Principal,
    limits: &Limits,
    now: Wall,
    random: u128,
) -> Result<NewTask, Refusal> {
    check_texts(&spec, limits)?;
    check_inputs(&spec.inputs, limits)?;
    check_env(&spec)?;
    let kind = words::from_task_type(word("task_type", spec.task_type)?);
    let priority = words::from_priority(word("priority", spec.priority)?);
    let requirements = requirements(&spec, kind)?;
    let policy = policy(&spec, kind)?;
    let user = user(&spec.user_id, principal)?;
    let key = Some(std::mem::take(&mut spec.idempotency_key)).filter(|key| !key.is_empty());
    let batch = Some(spec.batch_id.as_str()).filter(|batch| !batch.is_empty());
    let batch = batch.map(Into::into);
    let id_given = !spec.task_id.is_empty();
    let id = task_id(&spec.task_id, now, random)?;
    let parent = named_task("parent", &spec.parent)?;
    named_task("retry_of", &spec.retry_of)?;
    let not_before = time("not_before", spec.not_before.as_ref())?;
    spec.task_id.clear();
    spec.user_id.clear();
    let body_hash = if id_given || key.is_some() {
        body_hash(&mut spec, &user)
    } else {
        0
    };
    Ok(NewTask {
        id,
        id_given,
        user,
        key: key.map(String::into_boxed_str),
        body_hash,
        requirements,
        policy,
        priority,
        kind,
        not_before,
        batch,
        parent,
        spec: encode(id, &spec),
    })
}

fn task_id(text: &str, now: Wall, random: u128) -> Result<TaskId, Refusal> {
    if text.is_empty() {
        return Ok(TaskId::from_parts(now.0, random));
    }
    text.parse().map_err(|error| {
        invalid(
            "task_id",
            format!("{error}; put any other key into idempotency_key"),
        )
    })
}

/// Another task that this one names.
fn named_task(field: &str, text: &str) -> Result<Option<TaskId>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error| invalid(field, error))
}

fn user(named: &str, principal: &Principal) -> Result<Arc<str>, Refusal> {
    if named.is_empty() || *named == *principal.user {
        return Ok(Arc::clone(&principal.user));
    }
    label("user_id", named)?;
    if principal.role != Role::Admin {
        return Err(refusal(
            openclaw_common::code::ErrorCode::PermissionDenied,
            format!(
                "user_id: `{named}` is not you (`{}`); only the role admin may name another user",
                principal.user
            ),
        ));
    }
    Ok(named.into())
}

fn requirements(spec: &v1::TaskSpec, kind: TaskType) -> Result<Requirements, Refusal> {
    let (skill, skills) = skills(spec)?;
    for optional in &spec.optional_skills {
        skill_req("optional_skills", optional)?;
    }
    listed("optional_skills", spec.optional_skills.len())?;
    let node = match spec.node.as_str() {
        "" => None,
        name => {
            check_node_id(name).map_err(|error| invalid("node", error))?;
            Some(name.into())
        }
    };
    Ok(Requirements {
        skill,
        skills,
        command: !spec.command.is_empty(),
        tags: tags("required_tags", &spec.required_tags)?,
        node,
        demand: demand(spec.resources.as_ref(), kind)?,
        strategy: words::from_strategy(word("strategy", spec.strategy)?),
        affinity: tags("affinity_tags", &spec.affinity_tags)?,
    })
}

/// The skill to run, and all that the node must have, sorted: the one to run among them.
fn skills(spec: &v1::TaskSpec) -> Result<(Option<Box<str>>, Vec<SkillReq>), Refusal> {
    listed("required_skills", spec.required_skills.len())?;
    let mut skills = Vec::with_capacity(1 + spec.required_skills.len());
    for required in &spec.required_skills {
        skills.push(skill_req("required_skills", required)?);
    }
    let skill = match (spec.skill.as_str(), spec.command.is_empty()) {
        ("", true) => {
            return Err(invalid(
                "skill",
                "says nothing to run; name a skill, for example echo",
            ));
        }
        ("", false) => {
            check_command(&spec.command)?;
            None
        }
        (_, false) => {
            return Err(invalid(
                "skill",
                "a task runs either a skill or a command; leave one of them out",
            ));
        }
        (text, true) => {
            let req = skill_req("skill", text)?;
            let name = req.name.clone();
            skills.push(req);
            Some(name)
        }
    };
    skills.sort_unstable();
    skills.dedup();
    Ok((skill, skills))
}

fn skill_req(field: &str, text: &str) -> Result<SkillReq, Refusal> {
    text.parse().map_err(|error| invalid(field, error))
}

fn demand(resources: Option<&v1::Resources>, kind: TaskType) -> Result<Pools, Refusal> {
    let default_cpu = if kind == TaskType::ComputeIntensive {
        COMPUTE_CPU_MILLI
    } else {
        0
    };
    let slots_milli = if kind == TaskType::IoIntensive {
        IO_SLOT_MILLI
    } else {
        SLOT_MILLI
    };
    let Some(resources) = resources else {
        return Ok(Pools {
            slots_milli,
            cpu_milli: default_cpu,
            ..Pools::default()
        });
    };
    let cpu_milli = match resources.cpu_milli {
        0 => default_cpu,
        declared => u64::from(declared),
    };
    Ok(Pools {
        slots_milli,
        cpu_milli,
        memory_bytes: resources.memory_bytes,
        gpus: u64::from(resources.gpus),
        custom: custom_pools("resources.custom", &resources.custom)?,
    })
}

/// Custom pools by name; those of 0 units are left out.
pub(super) fn custom_pools<'a>(
    field: &str,
    pools: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> Result<BTreeMap<Box<str>, u64>, Refusal> {
    let mut custom = BTreeMap::new();
    for (name, units) in pools {
        pool_name(field, name)?;
        if *units > 0 {
            custom.insert(name.as_str().into(), *units);
        }
    }
    if custom.len() > CUSTOM_POOLS {
        return Err(too_large(field, custom.len(), CUSTOM_POOLS, "pools"));
    }
    Ok(custom)
}

fn policy(spec: &v1::TaskSpec, kind: TaskType) -> Result<Policy, Refusal> {
    let defaults = Policy::default();
    let timeout_ms = span("timeout", spec.timeout.as_ref())?;
    let progress = span("progress_timeout", spec.progress_timeout.as_ref())?;
    if kind == TaskType::Daemon && (timeout_ms.is_some() || progress.is_some()) {
        return Err(invalid(
            "timeout",
            "a daemon runs until it is cancelled; leave timeouts out",
        ));
    }
    let max_retries = spec.max_retries.unwrap_or(defaults.max_retries);
    if max_retries > RETRIES {
        return Err(invalid(
            "max_retries",
            format!("{max_retries} is over the limit of {RETRIES}"),
        ));
    }
    let retry = spec.retry.clone().unwrap_or_default();
    let base_ms =
        span("retry.backoff", retry.backoff.as_ref())?.unwrap_or(defaults.backoff.base_ms);
    let cap_ms = match span("retry.cap", retry.cap.as_ref())? {
        Some(cap) if cap < base_ms => {
            return Err(invalid(
                "retry.cap",
                "shorter than retry.backoff; make it at least as long",
            ));
        }
        Some(cap) => cap,
        None => defaults.backoff.cap_ms.max(base_ms),
    };
    listed("retry.no_retry_on", retry.no_retry_on.len())?;
    let mut no_retry_on = retry.no_retry_on;
    no_retry_on.sort_unstable();
    no_retry_on.dedup();
    Ok(Policy {
        timeout_ms,
        queue_timeout_ms: span("queue_timeout", spec.queue_timeout.as_ref())?,
        max_retries,
        backoff: Backoff { base_ms, cap_ms },
        retry_on: retry_on(&retry.retry_on)?,
        no_retry_on,
        on_lost: words::from_on_lost(word("on_lost", spec.on_lost)?),
        on_sleep: words::from_on_sleep(word("on_sleep", spec.on_sleep)?),
        ttl_ms: span("ttl", spec.ttl.as_ref())?.unwrap_or(defaults.ttl_ms),
    })
}

fn retry_on(kinds: &[i32]) -> Result<Vec<RetryOn>, Refusal> {
    listed("retry.retry_on", kinds.len())?;
    if kinds.is_empty() {
        return Ok(RetryOn::ALL.to_vec());
    }
    let mut found = Vec::with_capacity(kinds.len());
    for number in kinds {
        let kind = words::from_retry_on(word("retry.retry_on", *number)?)
            .ok_or_else(|| invalid("retry.retry_on", "an entry names no kind of failure"))?;
        found.push(kind);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Tells a repeated request from another one: everything that was asked but the id and the key.
fn body_hash(spec: &mut v1::TaskSpec, user: &str) -> u128 {
    // Maps have no order on the wire: they are hashed by name instead.
    let env = std::mem::take(&mut spec.env);
    let custom = spec
        .resources
        .as_mut()
        .map(|resources| std::mem::take(&mut resources.custom));
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(bytes);
    };
    part(user.as_bytes());
    part(&spec.encode_to_vec());
    for (name, value) in env.iter().collect::<BTreeMap<_, _>>() {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    part(b"pools");
    for (name, units) in custom.iter().flatten().collect::<BTreeMap<_, _>>() {
        part(name.as_bytes());
        part(&units.to_be_bytes());
    }
    spec.env = env;
    if let (Some(resources), Some(custom)) = (spec.resources.as_mut(), custom) {
        resources.custom = custom;
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(first)
}

/// The encoded specification with its id. The id is field 1, so that it may be put before the rest as it stands.
fn encode(id: TaskId, rest: &v1::TaskSpec) -> Bytes {
    const ID_TAG: u8 = 0x0A;
    let id = id.to_string();
    let mut buffer = BytesMut::with_capacity(2 + id.len() + rest.encoded_len());
    buffer.put_u8(ID_TAG);
    // 31 bytes: the length is one byte.
    buffer.put_u8(u8::try_from(id.len()).unwrap_or_default());
    buffer.put_slice(id.as_bytes());
    // The buffer grows as needed, so that there is nothing to fail.
    rest.encode(&mut buffer).unwrap_or_default();
    buffer.freeze()
}
