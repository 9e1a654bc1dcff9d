//! From a job to a running process: its directory, its program, its environment.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::api::{SkillRun, Terms};
use super::program::{self, NoProgram, Program};
use super::start::Shared;
use super::tree::{Launch, Pipes, Tree};
use super::workdir::{DirError, WorkDir};
use super::{ending, environ, guardian};
use crate::model::{Ended, Job};

/// Parameters up to this size are written without handing that to another thread.
const LIGHT: usize = 64 * 1024;

/// A process that runs, and what it runs in.
#[derive(Debug)]
pub(super) struct Started {
    /// The process and what it will start.
    pub(super) tree: Tree,
    /// What it prints to.
    pub(super) pipes: Pipes,
    /// Its directory.
    pub(super) dir: WorkDir,
    /// Its line in the ledger.
    pub(super) slot: guardian::Slot,
    /// What people call the program.
    pub(super) program: String,
}

/// Starts the process of a job. Blocks for a moment; large inputs are left to another thread.
pub(super) async fn start(
    shared: &Arc<Shared>,
    terms: &Arc<Terms>,
    job: Job,
    skill: Option<SkillRun>,
) -> Result<Started, Box<Ended>> {
    if job.spec.inputs.is_empty() && job.spec.parameters.len() <= LIGHT {
        return start_now(shared, terms, &job, skill.as_ref());
    }
    let (shared, terms) = (Arc::clone(shared), Arc::clone(terms));
    let started = spawn_blocking(move || start_now(&shared, &terms, &job, skill.as_ref())).await;
    started.unwrap_or_else(|error| {
        Err(Box::new(ending::not_started(format!(
            "the start of the task failed inside the worker: {error}"
        ))))
    })
}

fn start_now(
    shared: &Shared,
    terms: &Terms,
    job: &Job,
    skill: Option<&SkillRun>,
) -> Result<Started, Box<Ended>> {
    let dir = shared
        .dirs
        .take(&job.spec.parameters, &job.spec.inputs)
        .map_err(|error| match error {
            DirError::Name(_) => Box::new(ending::refused(error.to_string())),
            DirError::Io { .. } => Box::new(ending::not_started(error.to_string())),
        })?;
    match start_in(&dir, shared, terms, job, skill) {
        Ok((tree, pipes, slot, program)) => Ok(Started {
            tree,
            pipes,
            dir,
            slot,
            program,
        }),
        Err(ended) => {
            shared.dirs.give_back(&dir);
            Err(ended)
        }
    }
}

/// A process in its directory, and what to call it.
type InDir = (Tree, Pipes, guardian::Slot, String);

fn start_in(
    dir: &WorkDir,
    shared: &Shared,
    terms: &Terms,
    job: &Job,
    skill: Option<&SkillRun>,
) -> Result<InDir, Box<Ended>> {
    let not_started = |message: String| Box::new(ending::not_started(message));
    let refused = |message: String| Box::new(ending::refused(message));
    let settings = &shared.settings;
    let program = match skill {
        Some(skill) => program::of_skill(settings, skill, &job.spec, dir),
        None => program::of_command(settings, &job.spec),
    };
    let Program { path, args, name } = program.map_err(|error| match error {
        NoProgram::Here(message) => not_started(message),
        NoProgram::Task(message) => refused(message),
    })?;
    let mark = format!("{}.{}", shared.guardian.run(), job.lease);
    let env = environ::of_attempt((settings, terms), job, skill, dir, &mark).map_err(refused)?;
    let launch = Launch {
        program: path.clone(),
        args,
        env,
        dir: dir.path().to_owned(),
        stdin: dir
            .open_params()
            .map_err(|error| not_started(error.to_string()))?,
        mark,
        low_priority: settings.low_priority,
    };
    let (tree, pipes) =
        Tree::spawn(launch).map_err(|error| Box::new(spawn_error(&path, &error)))?;
    // On failure the tree is killed as it is dropped.
    let slot = shared.guardian.enter(&tree).map_err(|error| {
        not_started(format!(
            "cannot note the process in the ledger of running groups: {error}"
        ))
    })?;
    Ok((tree, pipes, slot, name))
}

fn spawn_error(path: &Path, error: &io::Error) -> Ended {
    let path = path.display();
    let hint = match error.kind() {
        io::ErrorKind::ArgumentListTooLong => {
            return ending::refused(format!(
                "cannot start {path}: its arguments and environment are too long for the system; pass large values as input files"
            ));
        }
        io::ErrorKind::NotFound => {
            "it vanished, or the interpreter in its first line does not exist"
        }
        io::ErrorKind::PermissionDenied => "the worker's user may not execute it",
        io::ErrorKind::WouldBlock => "too many processes: end some, or raise the limit (ulimit -u)",
        _ => "see whether it starts by hand as the worker's user",
    };
    ending::not_started(format!("cannot start {path}: {error}; {hint}"))
}
