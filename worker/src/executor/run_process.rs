//! A process attempt from its job to its `Ended`.

use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::status::Outcome;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::api::{Event, SkillRun, Terms, Wanted};
use super::attempt::{Attempt, End, Remains};
use super::clock::Limits;
use super::collect;
use super::ending::{self, Cause};
use super::launch::{self, Started};
use super::output::Output;
use super::progress::ProgressFile;
use super::pump::Pump;
use super::start::{Shared, tell};
use super::workdir::WorkDir;
use crate::model::{Ended, Failure, Job, Stream};

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
    let started = match launch::start(shared, &terms, job, skill).await {
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
    gather(shared, &terms, program, remains, dir, events).await
}

/// Collects what the process left and gives its directory back, or returns it to be removed.
async fn gather(
    shared: &Arc<Shared>,
    terms: &Arc<Terms>,
    program: String,
    remains: Remains,
    dir: WorkDir,
    events: &mpsc::Sender<Event>,
) -> (Ended, Option<WorkDir>) {
    let (mut ended, mut output, left) = if dir.is_untouched() {
        let (ended, output) = conclude(&program, remains, None, terms);
        shared.dirs.keep(dir);
        (ended, output, None)
    } else {
        let (shared, terms) = (Arc::clone(shared), Arc::clone(terms));
        let concluded = spawn_blocking(move || {
            let (ended, output) = conclude(&program, remains, Some(&dir), &terms);
            let left = (!shared.dirs.keep_if_clean(&dir)).then_some(dir);
            (ended, output, left)
        });
        match concluded.await {
            Ok(concluded) => concluded,
            Err(error) => {
                let message = format!("collecting the result failed inside the worker: {error}");
                return (bad_output(message), None);
            }
        }
    };
    ended.output = output.finish(events).await;
    (ended, left)
}

/// What came of it; without a directory when that holds nothing.
fn conclude(
    program: &str,
    remains: Remains,
    dir: Option<&WorkDir>,
    terms: &Terms,
) -> (Ended, Output) {
    let (outcome, failure) = verdict(program, &remains);
    let Remains { run, output, .. } = remains;
    let mut ended = ending::ended(outcome, run, failure);
    if outcome == Outcome::Succeeded {
        match collect::collect(dir, terms, &output) {
            Ok((result, outputs)) => (ended.result, ended.outputs) = (result, outputs),
            Err(message) => {
                ended = Ended {
                    run_ms: ended.run_ms,
                    ..bad_output(message)
                };
            }
        }
    }
    ended.stdout_bytes = output.size(Stream::Stdout);
    ended.stderr_bytes = output.size(Stream::Stderr);
    (ended, output)
}

/// How it ended, before anybody has looked at what it left.
fn verdict(program: &str, remains: &Remains) -> (Outcome, Option<Failure>) {
    let stderr_tail = remains.output.stderr_tail();
    match (remains.end, remains.tree.status()) {
        (End::Itself, Some(status)) => match ending::of_status(program, status, stderr_tail) {
            Some((outcome, failure)) => (outcome, Some(failure)),
            None => (Outcome::Succeeded, None),
        },
        (end, _) => {
            // Only a tree that is verified gone gets here, and that has a status.
            let cause = if let End::Cut(cause) = end {
                cause
            } else {
                Cause::Wanted
            };
            let (outcome, failure) = ending::cut_short(cause, remains.wanted);
            (
                outcome,
                Some(Failure {
                    stderr_tail,
                    ..failure
                }),
            )
        }
    }
}

fn bad_output(message: String) -> Ended {
    let failure = ending::failure(ReasonCode::Output, message);
    ending::ended(Outcome::BadOutput, std::time::Duration::ZERO, Some(failure))
}
