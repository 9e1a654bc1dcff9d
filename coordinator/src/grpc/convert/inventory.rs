//! What a worker says it can run. Odd entries are left out or cut; a skill never costs a node its stream.

use std::collections::BTreeMap;

use openclaw_core::effect::Refusal;
use openclaw_core::model::{Inventory, Pools, Skill};
use openclaw_core::version::SkillReq;
use openclaw_proto::v1;

use super::fields::{tags, too_large};
use super::spec::custom_pools;
use super::words;

/// Skills of one node.
const MAX_SKILLS: usize = 5_000;
const DESCRIPTION_BYTES: usize = 2_048;
const SCHEMA_BYTES: usize = 64 * 1024;
const REASON_BYTES: usize = 1_024;
const MAX_REASONS: usize = 32;
const MAX_NAMES: usize = 64;
const WORD_BYTES: usize = 255;

/// Skills, tags and capacity of a node.
pub(super) fn inventory(found: v1::Inventory) -> Result<Inventory, Refusal> {
    if found.skills.len() > MAX_SKILLS {
        return Err(too_large(
            "inventory.skills",
            found.skills.len(),
            MAX_SKILLS,
            "skills",
        ));
    }
    let pools = found.pools.unwrap_or_default();
    let mut skills: BTreeMap<Box<str>, Skill> = BTreeMap::new();
    for (name, skill) in found.skills.into_iter().filter_map(skill) {
        // A name that stands twice is what it can be run as.
        if skills.get(&name).is_none_or(|known| !known.eligible) {
            skills.insert(name, skill);
        }
    }
    Ok(Inventory {
        skills,
        tags: tags("inventory.tags", &found.tags)?,
        pools: Pools {
            slots_milli: u64::from(found.slots_milli),
            cpu_milli: u64::from(pools.cpu_milli),
            memory_bytes: pools.memory_bytes,
            gpus: u64::from(pools.gpus),
            custom: custom_pools("inventory.pools.custom", &pools.custom)?,
        },
        prefetch: found.prefetch,
        allow_commands: found.allow_commands,
    })
}

/// The text, cut at a character boundary to at most `limit` bytes.
pub fn bounded(text: &str, limit: usize) -> Box<str> {
    text[..text.floor_char_boundary(limit)].into()
}

/// `None` for a skill whose name is no name, or that is run in a way this version doesn't know.
fn skill(skill: v1::Skill) -> Option<(Box<str>, Skill)> {
    let named = skill
        .name
        .parse::<SkillReq>()
        .ok()
        .filter(|req| req.version.is_none() && *req.name == *skill.name);
    let executor = v1::SkillExecutor::try_from(skill.executor)
        .ok()
        .and_then(words::from_executor);
    let (Some(named), Some(executor)) = (named, executor) else {
        tracing::debug!(name = %bounded(&skill.name, 80), executor = skill.executor, "an advertised skill is left out");
        return None;
    };
    let texts = |list: &[String], count: usize, limit: usize| -> Vec<Box<str>> {
        list.iter()
            .take(count)
            .map(|text| bounded(text, limit))
            .collect()
    };
    // A schema cut in the middle is no schema.
    let schema = |text: String| {
        if text.len() > SCHEMA_BYTES {
            Box::default()
        } else {
            text.into_boxed_str()
        }
    };
    let entry = Skill {
        name: named.name.clone(),
        version: bounded(&skill.version, 64),
        category: bounded(&skill.category, 64),
        description: bounded(&skill.description, DESCRIPTION_BYTES),
        tags: texts(&skill.tags, MAX_NAMES, WORD_BYTES),
        content_hash: bounded(&skill.content_hash, 128),
        executor,
        dependencies: texts(&skill.dependencies, MAX_NAMES, WORD_BYTES),
        eligible: skill.eligible,
        reasons: texts(&skill.reasons, MAX_REASONS, REASON_BYTES),
        costs_money: skill.costs_money,
        input_schema: schema(skill.input_schema),
        output_schema: schema(skill.output_schema),
    };
    Some((named.name, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, executor: v1::SkillExecutor) -> v1::Skill {
        v1::Skill {
            name: name.into(),
            executor: executor.into(),
            eligible: true,
            ..v1::Skill::default()
        }
    }

    #[test]
    fn a_skill_without_a_proper_name_costs_only_itself() {
        let found = inventory(v1::Inventory {
            skills: vec![
                named("echo", v1::SkillExecutor::Builtin),
                named("no name", v1::SkillExecutor::Command),
                named("later", v1::SkillExecutor::Unspecified),
            ],
            slots_milli: 4_000,
            ..v1::Inventory::default()
        })
        .unwrap();
        assert_eq!(
            found
                .skills
                .keys()
                .map(AsRef::as_ref)
                .collect::<Vec<&str>>(),
            ["echo"]
        );
        assert_eq!(found.pools.slots_milli, 4_000);
    }

    #[test]
    fn a_skill_that_cannot_run_does_not_hide_one_of_its_name_that_can() {
        let broken = v1::Skill {
            eligible: false,
            ..named("echo", v1::SkillExecutor::Command)
        };
        let whole = named("echo", v1::SkillExecutor::Builtin);
        for skills in [
            vec![whole.clone(), broken.clone()],
            vec![broken.clone(), whole.clone()],
        ] {
            let found = inventory(v1::Inventory {
                skills,
                ..v1::Inventory::default()
            })
            .unwrap();
            assert!(found.skills["echo"].eligible);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(&*bounded("größe", 3), "gr");
        assert_eq!(&*bounded("abc", 9), "abc");
    }
}
