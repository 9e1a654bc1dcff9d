//! What a task's process finds in its environment: an allow-list, what was declared, what the task brings, and the
//! contract's own variables. Nothing else of the worker's environment reaches it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::api::{Settings, SkillRun, Terms};
use super::workdir::WorkDir;
use crate::model::Job;

/// Carries the random mark of the worker's run and the attempt; how stray processes are found.
pub(super) const MARK: &str = "OPENCLAW_CLUSTER_RUN";

/// Variables of the worker's own environment that every task gets.
#[cfg(not(windows))]
const ALLOWED: &[&str] = &[
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMP",
    "TMPDIR",
    "TEMP",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// Variables of the worker's own environment that every task gets.
#[cfg(windows)]
const ALLOWED: &[&str] = &[
    "SystemRoot",
    "ComSpec",
    "PATHEXT",
    "TEMP",
    "TMP",
    "APPDATA",
    "LOCALAPPDATA",
    "USERPROFILE",
    "LANG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The environment of an attempt. `Err` names a variable of the task that no process can have.
pub(super) fn of_attempt(
    (settings, terms): (&Settings, &Terms),
    job: &Job,
    skill: Option<&SkillRun>,
    dir: &WorkDir,
    mark: &str,
) -> Result<BTreeMap<OsString, OsString>, String> {
    let mut env = inherited(settings, skill);
    if cfg!(windows) {
        env.insert("PYTHONUTF8".into(), "1".into());
    }
    env.insert("PATH".into(), settings.path.clone());
    for (name, value) in &job.spec.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let name = name.escape_debug();
            return Err(format!(
                "environment variable `{name}` cannot be set: its name or value is malformed"
            ));
        }
        env.insert(name.into(), value.into());
    }
    contract(terms, job, skill, dir, &mut env);
    env.insert(MARK.into(), mark.into());
    Ok(env)
}

/// What comes from the worker's own environment, and from the skill's configuration where that has nothing.
fn inherited(settings: &Settings, skill: Option<&SkillRun>) -> BTreeMap<OsString, OsString> {
    let mut env = BTreeMap::new();
    let mut inherit = |name: &str| {
        if let Some((name, value)) = find(&settings.environment, name) {
            env.insert(name.clone(), value.clone());
        }
    };
    for name in ALLOWED
        .iter()
        .copied()
        .chain(settings.pass_env.iter().map(String::as_str))
    {
        inherit(name);
    }
    let Some(skill) = skill else { return env };
    for name in skill.run.env.iter().chain(&skill.env_names) {
        inherit(name);
    }
    for (name, value) in &skill.env_values {
        env.entry(name.into()).or_insert_with(|| value.into());
    }
    env
}

fn contract(
    terms: &Terms,
    job: &Job,
    skill: Option<&SkillRun>,
    dir: &WorkDir,
    env: &mut BTreeMap<OsString, OsString>,
) {
    let mut set = |name: &str, value: OsString| env.insert(name.into(), value);
    set(
        "OPENCLAW_CLUSTER_TASK_ID",
        job.spec.task_id.to_string().into(),
    );
    set("OPENCLAW_CLUSTER_ATTEMPT", job.attempt.to_string().into());
    set("OPENCLAW_CLUSTER_NODE_ID", terms.node_id.clone().into());
    set("OPENCLAW_CLUSTER_PARAMS", dir.params().into());
    set("OPENCLAW_CLUSTER_INPUT_DIR", dir.input_dir().into());
    set("OPENCLAW_CLUSTER_OUTPUT_DIR", dir.output_dir().into());
    set("OPENCLAW_CLUSTER_RESULT", dir.result().into());
    set("OPENCLAW_CLUSTER_PROGRESS", dir.progress().into());
    if let Some(skill) = skill {
        set("OPENCLAW_CLUSTER_SKILL_DIR", skill.base_dir.clone().into());
    }
}

/// Windows' names differ in case only for people.
fn find<'a>(
    environment: &'a BTreeMap<OsString, OsString>,
    name: &str,
) -> Option<(&'a OsString, &'a OsString)> {
    if cfg!(windows) {
        environment
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    } else {
        environment.get_key_value(OsStr::new(name))
    }
}
