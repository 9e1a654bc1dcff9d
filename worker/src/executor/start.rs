//! The executor: starts attempts as owned tasks and gives out handles to end them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openclaw_runtime::tasks::TaskGroup;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::api::{Event, Handle, Runnable, Settings, Terms, Wanted};
use super::builtin::{self, Builtin};
use super::guardian::Guardian;
use super::workdir::{WorkDir, WorkDirs};
use super::{ending, run_builtin, run_process};
use crate::model::{Ended, Job, Spec};

/// Threads that attempts run on.
const MIN_THREADS: usize = 2;
const MAX_THREADS: usize = 4;

/// Threads for what takes long: large files, searching all processes.
const MAX_BLOCKING: usize = 32;

/// Runs attempts. Clones share everything.
#[derive(Clone, Debug)]
pub struct Executor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) guardian: Guardian,
    pub(super) dirs: WorkDirs,
    terms: RwLock<Arc<Terms>>,
    tasks: TaskGroup,
    threads: Threads,
}

/// The threads of attempts. What an attempt does to its directory and its process takes them tens of microseconds;
/// handing each such step to another thread would take longer. Heartbeats live elsewhere and feel nothing of it.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> Self {
        let count = std::thread::available_parallelism()
            .map_or(MIN_THREADS, usize::from)
            .clamp(MIN_THREADS, MAX_THREADS);
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(count)
            .max_blocking_threads(MAX_BLOCKING)
            .thread_name("attempts")
            .enable_all();
        match builder.build() {
            Ok(runtime) => Self(Some(runtime)),
            Err(error) => {
                tracing::warn!(%error, "no threads for attempts alone: they share those of the worker");
                Self(None)
            }
        }
    }

    fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The last handle may be dropped where nobody may wait, even on one of these threads.
            runtime.shutdown_background();
        }
    }
}

impl Executor {
    /// An executor whose attempts belong to `tasks`: when that group is cancelled, they end without grace.
    pub fn new(settings: Settings, guardian: Guardian, tasks: TaskGroup) -> Self {
        let terms = RwLock::new(Arc::new(settings.terms.clone()));
        let dirs = WorkDirs::new(guardian.folder().to_owned());
        let threads = Threads::new();
        Self {
            shared: Arc::new(Shared {
                settings,
                guardian,
                dirs,
                terms,
                tasks,
                threads,
            }),
        }
    }

    /// Changes the terms for attempts that start from now on.
    pub fn set_terms(&self, terms: Terms) {
        *self
            .shared
            .terms
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
    }

    /// Runs a builtin that needs no waiting at once, without a task, an event or a handle: `echo`. `None` for others,
    /// which are to be started.
    pub fn run_builtin_now(&self, builtin: Builtin, spec: &Spec) -> Option<Ended> {
        match builtin {
            Builtin::Echo => Some(ending::succeeded(builtin::echo(spec), Duration::ZERO)),
            Builtin::Sleep | Builtin::SystemInfo => None,
        }
    }

    /// Starts an attempt. Its events go to `events` in order; a channel that stays full delays its end but not its
    /// process, whose output is then dropped and counted. Each `Log` event holds up to 32 KiB: choose the bound of the
    /// channel with that in mind.
    pub fn start(&self, job: Job, runnable: Runnable, events: mpsc::Sender<Event>) -> Handle {
        let (sender, receiver) = watch::channel(Wanted::default());
        let handle = Handle { wanted: sender };
        let (shared, own) = (Arc::clone(&self.shared), handle.clone());
        let _entered = self.shared.threads.enter();
        self.shared.tasks.spawn("attempt", async move {
            run(&shared, job, runnable, (own, receiver), events).await;
        });
        handle
    }
}

impl Shared {
    /// The terms for an attempt that starts now.
    pub(super) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn run(
    shared: &Arc<Shared>,
    job: Job,
    runnable: Runnable,
    (own, wanted): (Handle, watch::Receiver<Wanted>),
    events: mpsc::Sender<Event>,
) {
    let lease = job.lease;
    let life = async {
        match runnable {
            Runnable::Builtin(builtin) => {
                tell(&events, Event::Started { lease }).await;
                (
                    run_builtin::run(builtin, &job, wanted, &events).await,
                    None::<WorkDir>,
                )
            }
            Runnable::Skill(skill) => {
                run_process::run(shared, job, Some(skill), wanted, &events).await
            }
            Runnable::Command => run_process::run(shared, job, None, wanted, &events).await,
        }
    };
    let mut life = std::pin::pin!(life);
    let (ended, left) = tokio::select! {
        lived = &mut life => lived,
        () = shared.tasks.cancelled() => {
            own.kill(super::api::Kill::Now);
            life.await
        }
    };
    tell(&events, Event::Ended { lease, ended }).await;
    if let Some(dir) = left {
        let shared = Arc::clone(shared);
        // It runs to its end whether or not somebody waits.
        drop(spawn_blocking(move || shared.dirs.remove(&dir)).await);
    }
}

/// Sends an event. Nobody left to hear it means that the worker is going away, which the attempt learns otherwise.
pub(super) async fn tell(events: &mpsc::Sender<Event>, event: Event) {
    drop(events.send(event).await);
}
