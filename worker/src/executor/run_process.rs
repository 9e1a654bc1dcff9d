//! A process attempt from its job to its `Ended`: prepared and cleaned up on threads that may block, lived in between.

use std::io;
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::status::Outcome;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::api::{Event, SkillRun, Terms, Wanted};
use super::attempt::{Attempt, End, Remains};
use super::clock::Limits;
use super::ending::{self, Cause};
use super::output::Output;
use super::program::{self, NoProgram, Program};
use super::progress::ProgressFile;
use super::pump::Pump;
use super::start::{Shared, tell};
use super::tree::{Launch, Pipes, Tree};
use super::workdir::{DirError, WorkDir};
use super::{collect, environ, guardian};
use crate::model::{Ended, Failure, Job, Stream};

/// Parameters up to this size are written without handing that to another thread.
const LIGHT: usize = 64 * 1024;

/// A process that runs, and what it runs in.
#[derive(Debug)]
struct Started {
    tree: Tree,
    pipes: Pipes,
    dir: WorkDir,
    slot: guardian::Slot,
    program: String,
}

/// Runs a skill's command, or the one the task names, to its end. The directory that is left to remove, if any, is
/// handed back with the end, so that nobody waits for it.
pub(super) async fn run(
    shared: &Arc<Shared>,
    job: Job,
    skill: Option<SkillRun>,
    wanted: watch::Receiver<Wanted>,
    events: &mpsc::Sender<Event>,
) -> (Ended, Option<WorkDir>) {
    let (lease, terms) = (job.lease, shared.terms());
    let timeout = job
        .spec
        .timeout
        .or(skill.as_ref().and_then(|skill| skill.run.timeout));
    let limits = Limits::new(timeout, job.spec.progress_timeout);
    let started = match start(shared, &terms, job, skill).await {
        Ok(started) => started,
        Err(ended) => return (*ended, None),
    };
    tell(events, Event::Started { lease }).await;
    let Started {
        tree,
        pipes,
        dir,
        // Harmless after its end: the start of the leader tells it from any later one.
        slot: _slot,
        program,
    } = started;
    let output = Output::new(lease, terms.max_result_bytes);
    let progress = ProgressFile::new(dir.progress());
    let context = (lease, &shared.settings, events);
    let attempt = Attempt::new(
        context,
        wanted,
        (tree, Pump::new(pipes), output),
        limits,
        progress,
    );
    let remains = attempt.live().await;
    if dir.is_untouched() {
        let (mut ended, mut output) = conclude(&program, remains, None, &terms);
        shared.dirs.keep(dir);
        ended.output = output.finish(events).await;
        return (ended, None);
    }
    let shared = Arc::clone(shared);
    let concluded = spawn_blocking(move || {
        let concluded = conclude(&program, remains, Some(&dir), &terms);
        let left = if shared.dirs.keep_if_clean(&dir) {
            None
        } else {
            Some(dir)
        };
        (concluded, left)
    });
    match concluded.await {
        Ok(((mut ended, mut output), left)) => {
            ended.output = output.finish(events).await;
            (ended, left)
        }
        Err(error) => (
            bad_output(format!(
                "collecting the result failed inside the worker: {error}"
            )),
            None,
        ),
    }
}

async fn start(
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

fn start_in(
    dir: &WorkDir,
    shared: &Shared,
    terms: &Terms,
    job: &Job,
    skill: Option<&SkillRun>,
) -> Result<(Tree, Pipes, guardian::Slot, String), Box<Ended>> {
    let settings = &shared.settings;
    let program = match skill {
        Some(skill) => program::of_skill(settings, skill, &job.spec, dir),
        None => program::of_command(settings, &job.spec),
    };
    let program = program.map_err(|error| match error {
        NoProgram::Here(message) => Box::new(ending::not_started(message)),
        NoProgram::Task(message) => Box::new(ending::refused(message)),
    })?;
    let mark = format!("{}.{}", shared.guardian.run(), job.lease);
    let env = environ::of_attempt((settings, terms), job, skill, dir, &mark)
        .map_err(|message| Box::new(ending::refused(message)))?;
    let stdin = dir
        .open_params()
        .map_err(|error| Box::new(ending::not_started(error.to_string())))?;
    let Program { path, args, name } = program;
    let dir = dir.path().to_owned();
    let launch = Launch {
        program: path.clone(),
        args,
        env,
        dir,
        stdin,
        mark,
        low_priority: settings.low_priority,
    };
    let (tree, pipes) =
        Tree::spawn(launch).map_err(|error| Box::new(spawn_error(&path, &error)))?;
    // On failure the tree is killed as it is dropped.
    let slot = shared.guardian.enter(&tree).map_err(|error| {
        Box::new(ending::not_started(format!(
            "cannot note the process in the ledger of running groups: {error}"
        )))
    })?;
    Ok((tree, pipes, slot, name))
}

fn spawn_error(path: &std::path::Path, error: &io::Error) -> Ended {
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

/// What came of it; without a directory when that holds nothing.
fn conclude(
    program: &str,
    remains: Remains,
    dir: Option<&WorkDir>,
    terms: &Terms,
) -> (Ended, Output) {
    let Remains {
        end,
        wanted,
        run,
        output,
        tree,
    } = remains;
    let tail = output.stderr_tail();
    let (outcome, failure) = match (end, tree.status()) {
        (End::Cut(cause), _) => {
            let (outcome, failure) = ending::cut_short(cause, wanted);
            (
                outcome,
                Some(Failure {
                    stderr_tail: tail,
                    ..failure
                }),
            )
        }
        (End::Itself, Some(status)) => match ending::of_status(program, status, tail) {
            Some((outcome, failure)) => (outcome, Some(failure)),
            None => (Outcome::Succeeded, None),
        },
        // Only a tree that is verified gone gets here, and that has a status.
        (End::Itself, None) => {
            let (outcome, failure) = ending::cut_short(Cause::Wanted, wanted);
            (outcome, Some(failure))
        }
    };
    let mut ended = ending::ended(outcome, run, failure);
    if outcome == Outcome::Succeeded {
        match collect::collect(dir, terms, &output) {
            Ok((result, outputs)) => (ended.result, ended.outputs) = (result, outputs),
            Err(message) => {
                ended = bad_output(message);
                ended.run_ms = openclaw_common::time::millis(run);
            }
        }
    }
    ended.stdout_bytes = output.size(Stream::Stdout);
    ended.stderr_bytes = output.size(Stream::Stderr);
    (ended, output)
}

fn bad_output(message: String) -> Ended {
    let failure = ending::failure(ReasonCode::Output, message);
    ending::ended(Outcome::BadOutput, std::time::Duration::ZERO, Some(failure))
}
