//! All skills of a machine, judged together, since they may need each other.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::dependencies::resolve;
use super::{find_python, rules};
use crate::advert::{Advert, Executor};
use crate::argv::{self, Context, ExpandError};
use crate::discover::{Discovered, Skill};
use crate::host::{Host, Os};
use crate::manifest::{Gates, Mode, Resources, RunSpec};

/// A skill judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// What to tell the coordinator.
    pub advert: Advert,
    /// What an executor needs; there exactly when the advert says eligible.
    pub runnable: Option<Runnable>,
}

/// Everything an executor needs to start an eligible skill.
#[derive(Debug, Clone, PartialEq)]
pub struct Runnable {
    /// The skill's folder.
    pub dir: PathBuf,
    /// How it runs on this system.
    pub run: RunSpec,
    /// Full path of the program, when the command names one that had to be searched.
    pub program: Option<PathBuf>,
    /// What `{python}` is here.
    pub python: Option<Vec<OsString>>,
    /// Variables to hand over when the machine has them, sorted.
    pub env: Vec<String>,
    /// The name under which OpenClaw's configuration keeps the skill's entry.
    pub skill_key: String,
    /// The variable that the entry's `apiKey` fills.
    pub primary_env: Option<String>,
}

impl Runnable {
    /// The arguments of one attempt, the program with its full path where that is known. `context.python` is not looked
    /// at: the machine's own is used.
    ///
    /// # Errors
    /// As [`argv::expand`].
    pub fn argv(&self, context: &Context<'_>) -> Result<Vec<OsString>, ExpandError> {
        let context = Context {
            python: self.python.as_deref(),
            ..*context
        };
        let mut argv = argv::expand(&self.run.command, &context)?;
        if let Some(program) = &self.program {
            if let Some(refusal) = argv::batch_file_refusal(program, argv.len() - 1) {
                return Err(refusal);
            }
            argv[0] = program.clone().into_os_string();
        }
        Ok(argv)
    }
}

/// Judges every skill. Starts programs only through [`Host::probe`]: to find Python when a skill needs it, and for the
/// probes of skills that nothing else speaks against.
pub fn evaluate(found: &[Discovered], host: &dyn Host) -> Vec<Evaluated> {
    let judge = Judge {
        host,
        python: OnceCell::new(),
    };
    let mut evaluated: Vec<Evaluated> = found
        .iter()
        .map(|discovered| judge.alone(discovered))
        .collect();
    judge_dependencies(found, &mut evaluated, host);
    evaluated
}

struct Judge<'a> {
    host: &'a dyn Host,
    python: OnceCell<Option<Vec<OsString>>>,
}

impl Judge<'_> {
    /// Judges a skill without its dependencies.
    fn alone(&self, discovered: &Discovered) -> Evaluated {
        let skill = match &discovered.skill {
            Ok(skill) => skill,
            Err(reason) => {
                let advert = Advert::broken(discovered.name.clone(), reason.clone());
                return Evaluated {
                    advert,
                    runnable: None,
                };
            }
        };
        let gates = gates_of(skill);
        let mut reasons = Vec::new();
        if self.host.has_builtin(&skill.manifest.name) {
            reasons.push("its name is that of a built-in skill: give it another".to_owned());
        }
        rules::os(&gates, self.host.os(), &mut reasons);
        let run = self.run_of(skill, &mut reasons);
        let python = run
            .as_ref()
            .filter(|run| run.needs_python())
            .and_then(|_| self.python());
        if !gates.always {
            rules::requirements(
                &skill.manifest.name,
                &gates,
                self.host,
                python.is_some(),
                &mut reasons,
            );
        }
        let runnable = run
            .as_ref()
            .and_then(|run| self.runnable(skill, &gates, run.clone(), python, &mut reasons));
        let advert = advert_of(skill, &gates, run.as_ref(), reasons);
        Evaluated {
            runnable: runnable.filter(|_| advert.eligible),
            advert,
        }
    }

    fn python(&self) -> Option<&[OsString]> {
        self.python
            .get_or_init(|| find_python(self.host))
            .as_deref()
    }

    /// How the skill runs on this system, or why it doesn't.
    fn run_of(&self, skill: &Skill, reasons: &mut Vec<String>) -> Option<RunSpec> {
        let Some(block) = skill.run() else {
            let name = &skill.manifest.name;
            reasons.push(format!(
                "prompt-only: it instructs a model and says no command (add a run block to its skill.json, or \
                 recipes/{name}.json beside its folder)"
            ));
            return None;
        };
        let run = block.for_os(self.host.os());
        if run.is_none() {
            let systems: Vec<&str> = block.systems().into_iter().map(Os::name).collect();
            reasons.push(format!(
                "os {} only: its run block has no other command",
                systems.join(" or ")
            ));
        }
        let declared = skill
            .recipe
            .as_ref()
            .map_or(skill.manifest.resources, |recipe| recipe.resources);
        run.map(|run| RunSpec {
            resources: if run.resources == Resources::default() {
                declared
            } else {
                run.resources
            },
            ..run
        })
    }

    fn runnable(
        &self,
        skill: &Skill,
        gates: &Gates,
        run: RunSpec,
        python: Option<&[OsString]>,
        reasons: &mut Vec<String>,
    ) -> Option<Runnable> {
        if run.mode == Mode::Server {
            reasons.push(
                "mode server: this version starts a program per task; set \"mode\": \"process\""
                    .to_owned(),
            );
        }
        let program = rules::command(skill, gates, &run, self.host, reasons);
        if run.needs_python() && python.is_none() {
            reasons.retain(|reason| !reason.starts_with("missing program python"));
            reasons.push(rules::missing_python(gates, self.host.os()));
        }
        if reasons.is_empty() {
            reasons.extend(rules::probe(
                &skill.dir,
                run.probe.as_ref(),
                python,
                self.host,
            ));
        }
        if !reasons.is_empty() {
            return None;
        }
        let mut env = run.env.clone();
        env.extend(gates.env.iter().chain(&gates.primary_env).cloned());
        env.sort();
        env.dedup();
        Some(Runnable {
            dir: skill.dir.clone(),
            run,
            program,
            python: python.map(<[OsString]>::to_vec),
            env,
            skill_key: gates
                .skill_key
                .clone()
                .unwrap_or_else(|| skill.manifest.name.clone()),
            primary_env: gates.primary_env.clone(),
        })
    }
}

/// What the skill demands and what its recipe adds.
fn gates_of(skill: &Skill) -> Gates {
    let mut gates = skill.manifest.gates.clone();
    if let Some(recipe) = &skill.recipe {
        gates.merge(recipe.gates.clone());
    }
    gates
}

fn advert_of(skill: &Skill, gates: &Gates, run: Option<&RunSpec>, reasons: Vec<String>) -> Advert {
    let manifest = &skill.manifest;
    let schema = |pick: fn(&RunSpec) -> Option<&serde_json::Value>| {
        run.and_then(pick)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let timeout = run
        .and_then(|run| run.timeout)
        .map_or(0, |timeout| timeout.as_millis());
    Advert {
        name: manifest.name.clone(),
        version: manifest.version.clone().unwrap_or_default(),
        category: manifest.category.clone().unwrap_or_default(),
        description: manifest.description.clone(),
        tags: manifest.tags.clone(),
        content_hash: skill.content_hash.clone(),
        executor: if skill.run().is_some() {
            Executor::Command
        } else {
            Executor::Agent
        },
        recipe: skill.recipe.is_some(),
        input_schema: schema(|run| run.input_schema.as_ref()),
        output_schema: schema(|run| run.output_schema.as_ref()),
        dependencies: manifest
            .dependencies
            .iter()
            .map(ToString::to_string)
            .collect(),
        eligible: reasons.is_empty(),
        reasons,
        timeout_ms: u64::try_from(timeout).unwrap_or(u64::MAX),
        resources: run.map_or(Resources::default(), |run| run.resources),
        primary_env: gates.primary_env.clone().unwrap_or_default(),
    }
}

/// Adds what a skill's dependencies speak against it.
fn judge_dependencies(found: &[Discovered], evaluated: &mut [Evaluated], host: &dyn Host) {
    let manifests = || {
        found
            .iter()
            .filter_map(|discovered| discovered.skill.as_ref().ok())
            .map(|skill| &skill.manifest)
    };
    if manifests().all(|manifest| manifest.dependencies.is_empty()) {
        return;
    }
    let needs: BTreeMap<String, Vec<String>> = manifests()
        .map(|manifest| {
            let others = manifest
                .dependencies
                .iter()
                .map(|dependency| &dependency.name);
            (
                manifest.name.clone(),
                others
                    .filter(|name| !host.has_builtin(name))
                    .cloned()
                    .collect(),
            )
        })
        .collect();
    // Only what each says for itself: a skill behind another is named by its own reason, not by a chain of them.
    // Broken folders first, so that a good skill of the same name stands for it.
    let mut state: BTreeMap<String, (Option<String>, String)> = BTreeMap::new();
    for good in [false, true] {
        for (discovered, judged) in found.iter().zip(evaluated.iter()) {
            if discovered.skill.is_ok() == good {
                let advert = &judged.advert;
                let said = (advert.reasons.first().cloned(), advert.version.clone());
                state.insert(advert.name.clone(), said);
            }
        }
    }
    for (discovered, judged) in found.iter().zip(evaluated.iter_mut()) {
        let Ok(skill) = &discovered.skill else {
            continue;
        };
        let reasons = dependency_reasons(skill, &needs, &state);
        if !reasons.is_empty() {
            judged.advert.reasons.extend(reasons);
            judged.advert.eligible = false;
            judged.runnable = None;
        }
    }
}

fn dependency_reasons(
    skill: &Skill,
    needs: &BTreeMap<String, Vec<String>>,
    state: &BTreeMap<String, (Option<String>, String)>,
) -> Vec<String> {
    let name = &skill.manifest.name;
    let resolution = resolve(name, needs);
    let mut reasons = Vec::new();
    if let Some(cycle) = &resolution.cycle {
        reasons.push(format!("dependency cycle: {}", cycle.join(" → ")));
    }
    for (missing, wanted_by) in &resolution.missing {
        // A folder of that name whose manifest cannot be read says more than "missing".
        let why = state.get(missing).and_then(|(reason, _)| reason.as_deref());
        let by = if wanted_by == name {
            String::new()
        } else {
            format!(" (needed by {wanted_by})")
        };
        reasons.push(match why {
            Some(why) => format!("dependency {missing}{by} cannot run: {why}"),
            None => format!("dependency {missing}{by} missing"),
        });
    }
    for other in resolution.direct.iter().chain(&resolution.transitive) {
        if let Some((Some(why), _)) = state.get(other) {
            reasons.push(format!("dependency {other} cannot run: {why}"));
        }
    }
    for dependency in &skill.manifest.dependencies {
        let Some(wanted) = &dependency.version else {
            continue;
        };
        match state
            .get(&dependency.name)
            .map(|(_, version)| version.as_str())
        {
            Some("") => reasons.push(format!(
                "dependency {} has no version, needs {wanted}",
                dependency.name
            )),
            Some(version) if !wanted.matches(version) => {
                reasons.push(format!(
                    "dependency {} is {version}, needs {wanted}",
                    dependency.name
                ));
            }
            _ => {}
        }
    }
    reasons
}
