//! What tasks require and nodes have, between the core's types and messages.

use openclaw_common::backoff::Backoff;
use openclaw_core::model::{Facts, Inventory, Policy, Pools, Requirements, Skill};
use openclaw_core::version::SkillReq;

use super::numbers::{Numbered, word};
use super::{Invalid, wire};

/// Texts as the core keeps them.
pub(super) fn boxed(texts: Vec<String>) -> Vec<Box<str>> {
    texts.into_iter().map(String::into_boxed_str).collect()
}

/// Texts as messages keep them.
pub(super) fn strings(texts: &[Box<str>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

pub(super) fn requirements(from: &Requirements) -> wire::Requirements {
    wire::Requirements {
        skill: text(from.skill.as_deref()),
        skills: from.skills.iter().map(skill_req).collect(),
        command: from.command,
        tags: strings(&from.tags),
        node: text(from.node.as_deref()),
        demand: Some(pools(&from.demand)),
        strategy: from.strategy.map(Numbered::number),
        affinity: strings(&from.affinity),
    }
}

fn skill_req(from: &SkillReq) -> wire::SkillReq {
    let (op, version) = from
        .version
        .as_ref()
        .map_or((None, ""), |(op, version)| (Some(op.number()), version));
    wire::SkillReq {
        name: from.name.to_string(),
        op,
        version: version.to_owned(),
    }
}

fn pools(from: &Pools) -> wire::Pools {
    wire::Pools {
        slots_milli: from.slots_milli,
        cpu_milli: from.cpu_milli,
        memory_bytes: from.memory_bytes,
        gpus: from.gpus,
        custom: from
            .custom
            .iter()
            .map(|(name, units)| (name.to_string(), *units))
            .collect(),
    }
}

pub(super) fn policy(from: &Policy) -> wire::Policy {
    wire::Policy {
        timeout_ms: from.timeout_ms,
        queue_timeout_ms: from.queue_timeout_ms,
        max_retries: from.max_retries,
        backoff_base_ms: from.backoff.base_ms,
        backoff_cap_ms: from.backoff.cap_ms,
        retry_on: from.retry_on.iter().map(|kind| kind.number()).collect(),
        no_retry_on: from.no_retry_on.clone(),
        on_lost: from.on_lost.number(),
        on_sleep: from.on_sleep.number(),
        ttl_ms: from.ttl_ms,
    }
}

pub(super) fn facts(from: &Facts) -> wire::Facts {
    wire::Facts {
        hostname: from.hostname.to_string(),
        platform: from.platform.to_string(),
        arch: from.arch.to_string(),
        ip_address: from.ip_address.to_string(),
        tailscale_ip: from.tailscale_ip.to_string(),
        port: u32::from(from.port),
        cpus: from.cpus,
        memory_bytes: from.memory_bytes,
        gpus: from.gpus,
    }
}

pub(super) fn inventory(from: &Inventory) -> wire::Inventory {
    wire::Inventory {
        skills: from
            .skills
            .iter()
            .map(|(name, listed)| (name.to_string(), skill(listed)))
            .collect(),
        tags: strings(&from.tags),
        pools: Some(pools(&from.pools)),
        prefetch: from.prefetch,
        allow_commands: from.allow_commands,
    }
}

fn skill(from: &Skill) -> wire::Skill {
    wire::Skill {
        name: from.name.to_string(),
        version: from.version.to_string(),
        category: from.category.to_string(),
        description: from.description.to_string(),
        tags: strings(&from.tags),
        content_hash: from.content_hash.to_string(),
        executor: from.executor.number(),
        input_schema: from.input_schema.to_string(),
        output_schema: from.output_schema.to_string(),
        dependencies: strings(&from.dependencies),
        eligible: from.eligible,
        reasons: strings(&from.reasons),
        costs_money: from.costs_money,
    }
}

impl TryFrom<wire::Requirements> for Requirements {
    type Error = Invalid;

    fn try_from(from: wire::Requirements) -> Result<Self, Invalid> {
        Ok(Self {
            skill: from.skill.map(Into::into),
            skills: from
                .skills
                .into_iter()
                .map(SkillReq::try_from)
                .collect::<Result<_, _>>()?,
            command: from.command,
            tags: boxed(from.tags),
            node: from.node.map(Into::into),
            demand: from.demand.unwrap_or_default().into(),
            strategy: from
                .strategy
                .map(|number| word(number, "strategy"))
                .transpose()?,
            affinity: boxed(from.affinity),
        })
    }
}

impl TryFrom<wire::SkillReq> for SkillReq {
    type Error = Invalid;

    fn try_from(from: wire::SkillReq) -> Result<Self, Invalid> {
        let op = from
            .op
            .map(|number| word(number, "comparison"))
            .transpose()?;
        Ok(Self {
            name: from.name.into(),
            version: op.map(|op| (op, from.version.into())),
        })
    }
}

impl From<wire::Pools> for Pools {
    fn from(from: wire::Pools) -> Self {
        Self {
            slots_milli: from.slots_milli,
            cpu_milli: from.cpu_milli,
            memory_bytes: from.memory_bytes,
            gpus: from.gpus,
            custom: from
                .custom
                .into_iter()
                .map(|(name, units)| (name.into(), units))
                .collect(),
        }
    }
}

impl TryFrom<wire::Policy> for Policy {
    type Error = Invalid;

    fn try_from(from: wire::Policy) -> Result<Self, Invalid> {
        let retry_on = from
            .retry_on
            .into_iter()
            .map(|number| word(number, "retry_on"));
        Ok(Self {
            timeout_ms: from.timeout_ms,
            queue_timeout_ms: from.queue_timeout_ms,
            max_retries: from.max_retries,
            backoff: Backoff {
                base_ms: from.backoff_base_ms,
                cap_ms: from.backoff_cap_ms,
            },
            retry_on: retry_on.collect::<Result<_, _>>()?,
            no_retry_on: from.no_retry_on,
            on_lost: word(from.on_lost, "on_lost")?,
            on_sleep: word(from.on_sleep, "on_sleep")?,
            ttl_ms: from.ttl_ms,
        })
    }
}

impl TryFrom<wire::Facts> for Facts {
    type Error = Invalid;

    fn try_from(from: wire::Facts) -> Result<Self, Invalid> {
        Ok(Self {
            hostname: from.hostname.into(),
            platform: from.platform.into(),
            arch: from.arch.into(),
            ip_address: from.ip_address.into(),
            tailscale_ip: from.tailscale_ip.into(),
            port: from
                .port
                .try_into()
                .map_err(|_| Invalid::new("a port above 65535"))?,
            cpus: from.cpus,
            memory_bytes: from.memory_bytes,
            gpus: from.gpus,
        })
    }
}

impl TryFrom<wire::Inventory> for Inventory {
    type Error = Invalid;

    fn try_from(from: wire::Inventory) -> Result<Self, Invalid> {
        let skills = from.skills.into_iter();
        let skills = skills.map(|(name, listed)| Ok((name.into(), Skill::try_from(listed)?)));
        Ok(Self {
            skills: skills.collect::<Result<_, Invalid>>()?,
            tags: boxed(from.tags),
            pools: from.pools.unwrap_or_default().into(),
            prefetch: from.prefetch,
            allow_commands: from.allow_commands,
        })
    }
}

impl TryFrom<wire::Skill> for Skill {
    type Error = Invalid;

    fn try_from(from: wire::Skill) -> Result<Self, Invalid> {
        Ok(Self {
            name: from.name.into(),
            version: from.version.into(),
            category: from.category.into(),
            description: from.description.into(),
            tags: boxed(from.tags),
            content_hash: from.content_hash.into(),
            executor: word(from.executor, "executor")?,
            input_schema: from.input_schema.into(),
            output_schema: from.output_schema.into(),
            dependencies: boxed(from.dependencies),
            eligible: from.eligible,
            reasons: boxed(from.reasons),
            costs_money: from.costs_money,
        })
    }
}
