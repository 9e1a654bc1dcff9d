//! The attempts that the executor has, as their driver knows them.

use std::collections::BTreeMap;

use openclaw_common::id::LeaseId;
use openclaw_common::status::Outcome;
use tokio::sync::mpsc;

use super::parts::Parts;
use crate::executor::{self, Executor, Handle, Runnable, Terms};
use crate::logs::{Logs, Source};
use crate::model::{Ended, Job};
use crate::skills::Skills;
use crate::state::{Event, Kill, Progress};

/// Events of the executor that wait; each may hold 32 KiB of output.
const EVENTS: usize = 256;

/// Starts attempts, ends them, and turns what the executor tells into events of the state.
#[derive(Debug)]
pub(super) struct Attempts {
    executor: Executor,
    pub(super) skills: Skills,
    running: BTreeMap<LeaseId, Running>,
    sender: mpsc::Sender<executor::Event>,
    pub(super) events: mpsc::Receiver<executor::Event>,
    /// A skill could not be started: what was found at the last look may no longer be true.
    pub(super) doubtful: bool,
}

#[derive(Debug)]
struct Running {
    handle: Handle,
    source: Source,
    printed: bool,
    skill: bool,
}

impl Attempts {
    pub(super) fn new(parts: &Parts) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let (executor, skills) = (parts.executor.clone(), parts.skills.clone());
        Self {
            executor,
            skills,
            running: BTreeMap::new(),
            sender,
            events,
            doubtful: false,
        }
    }

    /// Starts an attempt; gives its end when that is here already.
    pub(super) fn start(&mut self, job: Job) -> Option<Event> {
        let lease = job.lease;
        let runnable = match self.skills.resolve(&job.spec) {
            Ok(runnable) => runnable,
            Err(why) => {
                tracing::debug!(%lease, task_id = %job.spec.task_id, why, "cannot start");
                self.doubtful = true;
                return Some(Event::Ended(lease, Box::new(Ended::not_started(why))));
            }
        };
        if let Runnable::Builtin(builtin) = runnable
            && let Some(ended) = self.executor.run_builtin_now(builtin, &job.spec)
        {
            return Some(Event::Ended(lease, Box::new(ended)));
        }
        tracing::debug!(%lease, task_id = %job.spec.task_id, attempt = job.attempt, "starting");
        let source = Source {
            lease,
            task_id: job.spec.task_id,
            attempt: job.attempt,
        };
        let skill = matches!(runnable, Runnable::Skill(_));
        let handle = self.executor.start(job, runnable, self.sender.clone());
        self.running.insert(
            lease,
            Running {
                handle,
                source,
                printed: false,
                skill,
            },
        );
        None
    }

    /// Changes the terms for attempts that start from now on.
    pub(super) fn set_terms(&self, terms: Terms) {
        self.executor.set_terms(terms);
    }

    pub(super) fn kill(&self, kill: Kill) {
        let Some(running) = self.running.get(&kill.lease) else {
            return;
        };
        running.handle.kill(if kill.hand_back {
            executor::Kill::Stopping
        } else {
            executor::Kill::Asked
        });
        if kill.now {
            running.handle.kill(executor::Kill::Now);
        }
    }

    /// What the executor told, as the state hears it. Output goes its own way.
    pub(super) fn told(&mut self, event: executor::Event, logs: &mut Logs) -> Option<Event> {
        Some(match event {
            executor::Event::Started { lease } => Event::Started(lease),
            executor::Event::Progress {
                lease,
                percent,
                message,
            } => Event::Progressed(lease, Progress { percent, message }),
            executor::Event::Log { lease, chunk } => {
                if let Some(running) = self.running.get_mut(&lease) {
                    running.printed = true;
                    logs.push(running.source, chunk);
                }
                return None;
            }
            executor::Event::Ended { lease, ended } => {
                if let Some(running) = self.running.remove(&lease) {
                    self.doubtful |= running.skill && ended.outcome == Outcome::SpawnFailed;
                    if running.printed {
                        logs.ended(lease);
                    }
                }
                tracing::debug!(%lease, outcome = %ended.outcome, "ended");
                Event::Ended(lease, Box::new(ended))
            }
            executor::Event::Wedged { lease } => Event::Wedged(lease),
        })
    }
}
