//! The rules one by one. Each adds its reasons; none looks at another skill.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::argv::{self, Context, Template};
use crate::discover::Skill;
use crate::hash::is_executable;
use crate::host::{Host, Os};
use crate::install;
use crate::manifest::{Gates, RunSpec};

/// `os darwin only`; always decides, whatever else is waived.
pub(super) fn os(gates: &Gates, os: Os, reasons: &mut Vec<String>) {
    if !gates.os.is_empty() && !gates.os.iter().any(|name| Os::from_name(name) == Some(os)) {
        reasons.push(format!("os {} only", gates.os.join(" or ")));
    }
}

/// Programs, environment, OpenClaw's configuration. `has_python` says that the command's `{python}` was found, which is
/// what a demand for `python3` is about.
pub(super) fn requirements(
    skill: &str,
    gates: &Gates,
    host: &dyn Host,
    has_python: bool,
    reasons: &mut Vec<String>,
) {
    let has = |bin: &str| (has_python && is_python(bin)) || host.find_program(bin).is_some();
    for bin in gates.bins.iter().filter(|bin| !has(bin)) {
        reasons.push(missing_program(bin, gates, host.os()));
    }
    if !gates.any_bins.is_empty() && !gates.any_bins.iter().any(|bin| has(bin)) {
        let hint = gates
            .any_bins
            .iter()
            .find_map(|bin| install::hint(&gates.install, bin, host.os()));
        reasons.push(with_hint(
            format!("missing program: one of {}", gates.any_bins.join(", ")),
            hint,
        ));
    }
    let key = gates.skill_key.as_deref().unwrap_or(skill);
    for name in &gates.env {
        if !host.has_env(key, name, gates.primary_env.as_ref() == Some(name)) {
            reasons.push(format!("env {name} not set"));
        }
    }
    for path in gates.config.iter().filter(|path| !host.has_config(path)) {
        reasons.push(format!("config {path} not set in OpenClaw's configuration"));
    }
}

/// The command itself: its program, its own files, its Python. Gives the program's full path when the command names one
/// that has to be searched.
pub(super) fn command(
    skill: &Skill,
    gates: &Gates,
    run: &RunSpec,
    host: &dyn Host,
    reasons: &mut Vec<String>,
) -> Option<PathBuf> {
    for file in run.command.own_files() {
        if let Some(reason) = own_file(&skill.dir, file, run.command.own_program() == Some(file)) {
            reasons.push(reason);
        }
    }
    let name = run.command.literal_program()?;
    let found = host.find_program(name);
    match &found {
        None => {
            let reason = missing_program(name, gates, host.os());
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        Some(path) => {
            let refusal = argv::batch_file_refusal(path, usize::from(run.command.has_arguments()));
            reasons.extend(refusal.map(|refusal| refusal.to_string()));
        }
    }
    found
}

fn own_file(dir: &Path, file: &str, starts: bool) -> Option<String> {
    match std::fs::metadata(dir.join(file)) {
        Err(_) => Some(format!("missing file {file} in the skill's folder")),
        Ok(about) if starts && cfg!(unix) && !is_executable(&about) => {
            Some(format!("{file} is not executable (chmod +x {file})"))
        }
        Ok(_) => None,
    }
}

/// The skill's own probe; `None` when it answers or there is none.
pub(super) fn probe(
    dir: &Path,
    probe: Option<&Template>,
    python: Option<&[OsString]>,
    host: &dyn Host,
) -> Option<String> {
    let probe = probe?;
    let context = Context {
        base_dir: dir,
        python,
        params: &serde_json::Value::Null,
        inputs: &[],
        input_dir: dir,
        output_dir: dir,
    };
    let mut argv = match argv::expand(probe, &context) {
        Ok(argv) => argv,
        Err(error) => return Some(format!("probe failed: {error}")),
    };
    if let Some(name) = probe.literal_program() {
        let Some(path) = host.find_program(name) else {
            return Some(format!("probe failed: missing program {name}"));
        };
        argv[0] = path.into_os_string();
    }
    let shown = argv[0].to_string_lossy().into_owned();
    host.probe(&argv)
        .err()
        .map(|error| format!("probe failed: {shown}: {error}"))
}

/// What to say when a command needs Python and none runs.
pub(super) fn missing_python(gates: &Gates, os: Os) -> String {
    let hint = install::hint(&gates.install, "python3", os);
    with_hint(
        "missing program python3 (also tried py -3 and python)".to_owned(),
        hint,
    )
}

fn missing_program(name: &str, gates: &Gates, os: Os) -> String {
    with_hint(
        format!("missing program {name}"),
        install::hint(&gates.install, name, os),
    )
}

fn with_hint(reason: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{reason} ({hint})"),
        None => reason,
    }
}

pub(super) fn is_python(program: &str) -> bool {
    ["python3", "python"].contains(&program)
}
