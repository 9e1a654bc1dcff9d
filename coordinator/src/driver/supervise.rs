//! Run after run of the core: opening the store, restoring, running, and doing it again when the store fails.
//!
//! A failing store ends a run of the core, never the process: the listeners stay, and start-up is the same path.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openclaw_common::time::millis;
use openclaw_core::Core;
use openclaw_core::settings::Settings;
use openclaw_runtime::clock::Clock;
use openclaw_runtime::tasks::TaskGroup;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::lanes::{Inlets, Lanes, WorkerInput, lanes};
use super::run::{Exit, Run, Signals, Start};
use super::sessions::draining;
use crate::grpc::convert::Limits;
use crate::handle::{Handle, HandleParts};
use crate::shared::{self, Phase, Shared, store_trouble};
use crate::store::{self, Home, Opened, Opener, StoreError, StoreThread};

/// Delay before the store is opened again: doubled from the first to the last.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);
/// A run this long shows that the store works: the next failure starts with the first delay again.
const SOUND_RUN: Duration = Duration::from_mins(1);

/// What a driver is made of.
#[derive(Debug)]
pub struct DriverParts {
    /// Intervals and limits of the core.
    pub settings: Settings,
    /// Opens the store.
    pub opener: Opener,
    /// Which cluster the store must be of; `None` for one that lives in memory.
    pub home: Option<Home>,
    /// Limits of requests.
    pub limits: Limits,
    /// Owns what runs beside the driver.
    pub group: TaskGroup,
}

/// The driver, before it runs.
#[derive(Debug)]
pub struct Driver {
    settings: Settings,
    store: StoreThread,
    home: Option<Home>,
    shared: Arc<Shared>,
    lanes: Lanes,
    inlets: Inlets,
    signals: Signals,
    group: TaskGroup,
}

impl Driver {
    /// Makes a driver and the handle on it. Fails only when the system gives no thread.
    pub fn new(parts: DriverParts) -> io::Result<(Self, Handle)> {
        let (lanes, inlets) = lanes();
        let shared = Arc::new(Shared::new(Clock::new()));
        let opener = parts.opener;
        let clock = Clock::new();
        let store = StoreThread::start(move || {
            opener.open(store::Start {
                wall: clock.now().wall,
                random: u128::from_be_bytes(random()?),
            })
        })?;
        let handle = Handle::new(HandleParts {
            shared: Arc::clone(&shared),
            lanes: lanes.clone(),
            limits: parts.limits,
            readers: parts.group.clone(),
        });
        let driver = Self {
            settings: parts.settings,
            store,
            home: parts.home,
            shared,
            lanes,
            inlets,
            signals: Signals {
                drain: CancellationToken::new(),
                stop: CancellationToken::new(),
            },
            group: parts.group,
        };
        Ok((driver, handle))
    }

    /// Cancelled by its holder, workers are sent away and none are taken.
    pub fn drain(&self) -> CancellationToken {
        self.signals.drain.clone()
    }

    /// Cancelled by its holder, the driver handles and flushes what waits and then ends.
    pub fn stop(&self) -> CancellationToken {
        self.signals.stop.clone()
    }

    /// Runs until stopped. An error means that the store could not be opened at the very first attempt and that
    /// waiting will not help; any later trouble is waited out.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let outcome = self.run_all().await;
        self.shared.set_phase(Phase::Stopping);
        self.shared.set_reader(None);
        // Whatever is still in the lanes is dropped with them, which tells those who wait.
        drop(self.lanes);
        self.store.close().await;
        outcome
    }

    async fn run_all(&mut self) -> Result<(), StoreError> {
        let mut delay = FIRST_DELAY;
        let mut opened_once = false;
        loop {
            match self.open().await {
                Ok((opened, core)) => {
                    opened_once = true;
                    let began = Instant::now();
                    match self.run_once(opened, core).await {
                        Exit::Stopped => return Ok(()),
                        Exit::Failed(error) => self.failed(&error),
                    }
                    if began.elapsed() >= SOUND_RUN {
                        delay = FIRST_DELAY;
                    }
                }
                Err(error) if !opened_once && !passes_with_time(&error) => return Err(error),
                Err(error) => self.failed(&error),
            }
            if self.refuse_for(delay).await {
                return Ok(());
            }
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    /// Opens the store and builds the core from it, both off the runtime's threads.
    async fn open(&self) -> Result<(Opened, Core), StoreError> {
        let mut opened = self.store.open().await?;
        let loaded = std::mem::take(&mut opened.loaded);
        let (tasks, nodes) = (loaded.tasks.len(), loaded.nodes.len());
        tracing::info!(
            engine = opened.engine,
            epoch = loaded.epoch,
            tasks,
            nodes,
            took_ms = millis(opened.took),
            "the store is open"
        );
        let (settings, now, seed) = (self.settings.clone(), self.shared.clock.now(), seed()?);
        let home = self.home.clone();
        let restored = self.group.spawn_blocking("restore", move || {
            home.map_or(Ok(()), |home| home.check(loaded.cluster_id))?;
            Ok::<_, StoreError>(Core::restore(settings, loaded, now, seed))
        });
        let core = restored.await.map_err(|error| StoreError::Panicked {
            doing: "restore",
            what: error.to_string(),
        })??;
        Ok((opened, core))
    }

    async fn run_once(&mut self, opened: Opened, core: Core) -> Exit {
        let seed = match seed() {
            Ok(seed) => seed,
            Err(error) => return Exit::Failed(error),
        };
        let now = self.shared.clock.now();
        self.shared.set_reader(Some(opened.reader));
        self.shared.turned(now.mono);
        let facts = shared::Run {
            engine: opened.engine,
            cluster_id: core.cluster_id(),
            epoch: core.epoch(),
            since: now.wall,
        };
        let run = Run::new(Start {
            core,
            store: &self.store,
            limits: opened.limits,
            now,
            seed,
            shared: &self.shared,
            inlets: &mut self.inlets,
            signals: self.signals.clone(),
        });
        self.shared.set_phase(Phase::Ready(facts));
        run.drive().await
    }

    fn failed(&self, error: &StoreError) {
        tracing::error!(%error, "the store failed; it is being reopened, requests are refused meanwhile");
        self.shared.set_phase(Phase::Failed(store_trouble(error)));
        self.shared.set_reader(None);
    }

    /// Refuses whatever comes, for a while. `true`: the program ends.
    async fn refuse_for(&mut self, delay: Duration) -> bool {
        let until = Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                () = self.signals.stop.cancelled() => return true,
                () = sleep_until(until) => return false,
                Some(input) = self.inlets.workers.recv() => {
                    if let WorkerInput::Opened { outbox, session, .. } = input {
                        outbox.close(draining("the coordinator's store is being reopened", millis(delay), session.0));
                    }
                }
                // Dropping them tells those who wait.
                Some(command) = self.inlets.control.recv() => drop(command),
                Some(query) = self.inlets.reads.recv() => drop(query),
            }
        }
    }
}

/// Whether a store that could not be opened may open later without anybody doing anything to this program.
const fn passes_with_time(error: &StoreError) -> bool {
    matches!(error, StoreError::Full { .. })
}

fn seed() -> Result<u64, StoreError> {
    random().map(u64::from_be_bytes)
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Panicked {
        doing: "start",
        what: format!("the operating system gives no random bytes: {error}"),
    })?;
    Ok(bytes)
}
