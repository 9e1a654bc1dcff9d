//! From a task to what is run for it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openclaw_proto::v1;
use openclaw_skill::manifest::Dependency;

use crate::executor::{Builtin, Runnable, SkillRun};
use crate::model::Spec;

/// Everything this worker can run, as found by one look.
#[derive(Debug, Clone)]
pub struct Skills {
    adverts: Vec<v1::Skill>,
    entries: BTreeMap<String, Entry>,
    allow_commands: bool,
}

/// An eligible skill.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) version: String,
    /// Full path of its program, where that is known.
    pub(super) program: Option<PathBuf>,
    pub(super) run: SkillRun,
}

impl Skills {
    pub(super) fn new(
        adverts: Vec<v1::Skill>,
        entries: BTreeMap<String, Entry>,
        allow_commands: bool,
    ) -> Self {
        Self {
            adverts,
            entries,
            allow_commands,
        }
    }

    /// Every skill with its eligibility, builtins first.
    pub fn adverts(&self) -> &[v1::Skill] {
        &self.adverts
    }

    /// Tasks may name a program instead of a skill.
    pub fn allow_commands(&self) -> bool {
        self.allow_commands
    }

    /// What to run for a task, or why that cannot be started here now.
    pub fn resolve(&self, spec: &Spec) -> Result<Runnable, String> {
        // The fast path of tiny tasks: no parsing, no look at the disk.
        if let Some(builtin) = Builtin::from_name(&spec.skill) {
            return Ok(Runnable::Builtin(builtin));
        }
        if !spec.command.is_empty() {
            return if self.allow_commands {
                Ok(Runnable::Command)
            } else {
                Err("the owner of this node does not let tasks name a program (worker.allow_commands)".to_owned())
            };
        }
        let wanted: Dependency = spec.skill.parse()?;
        if let Some(builtin) = Builtin::from_name(&wanted.name) {
            return Ok(Runnable::Builtin(builtin));
        }
        let Some(entry) = self.entries.get(&wanted.name) else {
            return Err(self.why_not(&wanted.name));
        };
        if let Some(required) = &wanted.version
            && !required.matches(&entry.version)
        {
            return Err(format!(
                "skill {} has version `{}` here, the task wants {required}",
                wanted.name, entry.version
            ));
        }
        still_there(entry)?;
        Ok(Runnable::Skill(entry.run.clone()))
    }

    fn why_not(&self, name: &str) -> String {
        let known = self.adverts.iter().find(|advert| advert.name == name);
        match known {
            Some(advert) => format!(
                "skill {name} cannot run here: {}",
                advert.reasons.join("; ")
            ),
            None => format!("skill {name} is not on this node"),
        }
    }
}

/// What was found at the last look may have been removed since.
fn still_there(entry: &Entry) -> Result<(), String> {
    if !entry.run.base_dir.is_dir() {
        return Err(format!(
            "the folder {} of skill {} has vanished",
            entry.run.base_dir.display(),
            entry.run.name
        ));
    }
    match &entry.program {
        Some(program) if !program.exists() => Err(format!(
            "the program {} of skill {} has vanished",
            program.display(),
            entry.run.name
        )),
        _ => Ok(()),
    }
}
