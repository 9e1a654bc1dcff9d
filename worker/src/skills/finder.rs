//! Looking at the skills folder and at the machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use openclaw_skill::discover;
use openclaw_skill::eligibility::{Evaluated, Runnable, evaluate};
use openclaw_skill::host::{OpenClawConfig, SystemHost};

use super::builtin;
use super::resolve::{Entry, Skills};
use crate::convert;
use crate::executor::{Builtin, SkillRun};

/// Where skills are, and what their programs will see.
#[derive(Debug, Clone)]
pub struct Finder {
    /// The folder with skills.
    pub skills_dir: PathBuf,
    /// The PATH that tasks get.
    pub path: OsString,
    /// The variables that tasks can get.
    pub environment: BTreeMap<OsString, OsString>,
    /// Whether tasks may name a program instead of a skill.
    pub allow_commands: bool,
    /// The worker's build.
    pub build: String,
}

impl Finder {
    /// Looks again at everything. Reads folders and starts probes, each for at most ten seconds: not for the runtime's
    /// threads. What is wrong with a skill costs that skill only.
    pub fn look(&self) -> Skills {
        let openclaw = self.openclaw();
        let host = SystemHost::new(self.path.clone(), self.environment.clone())
            .openclaw(openclaw.clone())
            .builtins(Builtin::ALL.map(Builtin::name));
        let found = match discover::discover(&self.skills_dir) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "only builtin skills can run");
                Vec::new()
            }
        };
        for skill in found
            .iter()
            .filter_map(|discovered| discovered.skill.as_ref().ok())
        {
            for note in &skill.notes {
                tracing::info!(skill = %skill.manifest.name, "{note}");
            }
        }
        let mut adverts: Vec<_> = Builtin::ALL
            .iter()
            .map(|builtin| builtin::advert(*builtin, &self.build))
            .collect();
        let mut entries = BTreeMap::new();
        for Evaluated { advert, runnable } in evaluate(&found, &host) {
            if !advert.eligible {
                tracing::info!(skill = %advert.name, reasons = ?advert.reasons, "skill cannot run here");
            }
            if let Some(runnable) = runnable {
                entries.insert(
                    advert.name.clone(),
                    entry(&advert.name, &advert.version, runnable, &openclaw),
                );
            }
            // Under its name the builtin is advertised, which runs.
            if Builtin::ALL.iter().all(|own| own.name() != advert.name) {
                adverts.push(convert::skill(&advert));
            }
        }
        Skills::new(adverts, entries, self.allow_commands)
    }

    /// OpenClaw's own settings, whose keys for skills count here too.
    fn openclaw(&self) -> OpenClawConfig {
        let variable = |name: &str| self.environment.get(std::ffi::OsStr::new(name)).cloned();
        let home = openclaw_runtime::platform::dirs::user_home_dir();
        let Some(path) = OpenClawConfig::location(variable, home.as_deref()) else {
            return OpenClawConfig::default();
        };
        OpenClawConfig::load(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, "OpenClaw's settings are not used");
            OpenClawConfig::default()
        })
    }
}

fn entry(name: &str, version: &str, runnable: Runnable, openclaw: &OpenClawConfig) -> Entry {
    let values = openclaw.skill_env(&runnable.skill_key, runnable.primary_env.as_deref());
    Entry {
        version: version.to_owned(),
        program: runnable.program.clone(),
        run: SkillRun::new(name.to_owned(), runnable, values),
    }
}
