//! From a runnable to an absolute program and its arguments. No shell is ever involved.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use openclaw_skill::argv::{self, ExpandError};
use openclaw_skill::manifest::Mode;
use serde_json::Value;

use super::api::{Settings, SkillRun};
use super::workdir::WorkDir;
use crate::model::Spec;

/// A program to start.
#[derive(Debug)]
pub(super) struct Program {
    /// Absolute path.
    pub(super) path: PathBuf,
    /// What follows it.
    pub(super) args: Vec<OsString>,
    /// What people call it.
    pub(super) name: String,
}

/// Why nothing can be started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoProgram {
    /// This node cannot; another one may.
    Here(String),
    /// The task is wrong wherever it goes.
    Task(String),
}

/// The program of a skill, its template filled with the task's values.
pub(super) fn of_skill(
    settings: &Settings,
    skill: &SkillRun,
    spec: &Spec,
    dir: &WorkDir,
) -> Result<Program, NoProgram> {
    if skill.run.mode == Mode::Server {
        return Err(NoProgram::Here(format!(
            "skill {} is kept running between tasks (mode: server), which this version of the worker does not do",
            skill.name
        )));
    }
    let params = match spec.parameters.trim() {
        "" => Value::Null,
        text => serde_json::from_str(text)
            .map_err(|error| NoProgram::Task(format!("parameters: {error}")))?,
    };
    let input_dir = dir.input_dir();
    let inputs: Vec<_> = spec
        .inputs
        .iter()
        .map(|input| (input.name.clone(), input_dir.join(&input.name)))
        .collect();
    let context = argv::Context {
        base_dir: &skill.base_dir,
        python: skill.python.as_deref(),
        params: &params,
        inputs: &inputs,
        input_dir: &input_dir,
        output_dir: &dir.output_dir(),
    };
    let argv = argv::expand(&skill.run.command, &context).map_err(|error| blame(&error))?;
    find(argv, settings, &skill.base_dir)
}

/// The program that the task itself names.
pub(super) fn of_command(settings: &Settings, spec: &Spec) -> Result<Program, NoProgram> {
    if !settings.allow_commands {
        return Err(NoProgram::Here(
            "this worker runs no plain commands; its owner turns that on with worker.allow_commands: true".to_owned(),
        ));
    }
    if spec.command.iter().any(|argument| argument.contains('\0')) {
        return Err(NoProgram::Task(
            "an argument of the command holds a NUL character, which no argument may".to_owned(),
        ));
    }
    let is_relative = |text: &str| {
        Path::new(text).is_relative() && text.contains(['/', std::path::MAIN_SEPARATOR])
    };
    if spec
        .command
        .first()
        .is_some_and(|program| is_relative(program))
    {
        return Err(NoProgram::Task(format!(
            "command `{}`: name a program of the PATH or an absolute path on the worker",
            spec.command[0]
        )));
    }
    find(
        spec.command.iter().map(OsString::from).collect(),
        settings,
        &settings.data_dir,
    )
}

/// Whose fault it is that a template cannot be filled.
fn blame(error: &ExpandError) -> NoProgram {
    match error {
        ExpandError::NoPython | ExpandError::PythonInText(_) | ExpandError::BatchFile(_) => {
            NoProgram::Here(error.to_string())
        }
        _ => NoProgram::Task(error.to_string()),
    }
}

/// Looks the program up in the recorded PATH; one with directories in its name is relative to `base`.
fn find(words: Vec<OsString>, settings: &Settings, base: &Path) -> Result<Program, NoProgram> {
    let mut words = words.into_iter();
    let Some(wanted) = words.next().filter(|program| !program.is_empty()) else {
        return Err(NoProgram::Task("the command names no program".to_owned()));
    };
    let args: Vec<_> = words.collect();
    let path = which::which_in(&wanted, Some(&settings.path), base)
        .map_err(|_| NoProgram::Here(not_found(Path::new(&wanted), settings, base)))?;
    if let Some(refusal) = argv::batch_file_refusal(&path, args.len()) {
        return Err(NoProgram::Here(refusal.to_string()));
    }
    Ok(Program {
        path,
        args,
        name: wanted.to_string_lossy().into_owned(),
    })
}

fn not_found(wanted: &Path, settings: &Settings, base: &Path) -> String {
    if wanted.components().count() == 1 {
        let folders = std::env::split_paths(&settings.path).count();
        return format!(
            "program {} is in none of the {folders} folders of this worker's PATH; install it, or start the worker with a PATH that has it",
            wanted.display()
        );
    }
    let path = base.join(wanted);
    if path.exists() {
        format!(
            "program {} is not executable; make it so (chmod +x)",
            path.display()
        )
    } else {
        format!("program {} does not exist", path.display())
    }
}
