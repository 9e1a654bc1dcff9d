//! What the driver and the faces share: the state of the run, the reader, the view, who follows what.
//!
//! Everything here is short-lived locks and watch channels; nobody waits for anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use openclaw_common::code::ErrorCode;
use openclaw_common::id::{ClusterId, SessionId};
use openclaw_common::time::{Mono, Wall};
use openclaw_core::effect::Refusal;
use openclaw_runtime::clock::Clock;
use tokio::sync::watch;

use crate::driver::{PublishedView, SpecCache};
use crate::events::Hub;
use crate::reply::refusal;
use crate::store::{Reader, StoreError};

/// A driver that has not turned for so long is stuck.
const TURNING_MS: u64 = 10_000;

/// How the store and the core stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The store is being opened.
    Opening,
    /// Everything works.
    Ready(Run),
    /// The store failed; it is being reopened. Why, as requests are told.
    Failed(Refusal),
    /// The program is about to end.
    Stopping,
}

/// Facts about one run of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The store engine.
    pub engine: &'static str,
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The epoch.
    pub epoch: u64,
    /// When it began.
    pub since: Wall,
}

/// Whether the coordinator does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How the store and the core stand.
    pub phase: Phase,
    /// Why it cannot serve, with the next step; `None`: it can.
    pub trouble: Option<Refusal>,
}

impl Health {
    /// The coordinator accepts and runs tasks.
    pub const fn is_ready(&self) -> bool {
        self.trouble.is_none()
    }
}

#[derive(Default)]
struct ReaderSlot(RwLock<Option<Arc<dyn Reader>>>);

impl std::fmt::Debug for ReaderSlot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ReaderSlot")
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) specs: SpecCache,
    pub(crate) clock: Clock,
    reader: ReaderSlot,
    phase: watch::Sender<Phase>,
    view: watch::Sender<Arc<PublishedView>>,
    turned: AtomicU64,
    sessions: AtomicU64,
}

impl Shared {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            hub: Hub::default(),
            specs: SpecCache::default(),
            reader: ReaderSlot::default(),
            phase: watch::Sender::new(Phase::Opening),
            view: watch::Sender::new(Arc::default()),
            turned: AtomicU64::new(clock.mono().0),
            sessions: AtomicU64::new(0),
            clock,
        }
    }

    /// The driver takes a turn.
    pub(crate) fn turned(&self, now: Mono) {
        self.turned.store(now.0, Ordering::Relaxed);
    }

    /// A name for a new stream; never given twice by one process.
    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Where views are published.
    pub(crate) fn views(&self) -> watch::Sender<Arc<PublishedView>> {
        self.view.clone()
    }

    /// Sees every view from now on.
    pub(crate) fn view_changes(&self) -> watch::Receiver<Arc<PublishedView>> {
        self.view.subscribe()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    pub(crate) fn phase_changes(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// What reads from now on; `None` closes the store for readers.
    pub(crate) fn set_reader(&self, reader: Option<Arc<dyn Reader>>) {
        *self
            .reader
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = reader;
    }

    /// The reader, or why there is none.
    pub(crate) fn reader(&self) -> Result<Arc<dyn Reader>, Refusal> {
        let reader = self
            .reader
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        reader.ok_or_else(|| self.trouble_of(&self.phase()).unwrap_or_else(opening))
    }

    pub(crate) fn health(&self) -> Health {
        let phase = self.phase();
        let stood = self
            .clock
            .mono()
            .since(Mono(self.turned.load(Ordering::Relaxed)));
        let trouble = self.trouble_of(&phase).or_else(|| {
            (stood > TURNING_MS).then(|| {
                refusal(
                    ErrorCode::Unavailable,
                    format!(
                        "the store has not taken a batch for {} s; look at the coordinator's disk",
                        stood / 1_000
                    ),
                )
            })
        });
        Health { phase, trouble }
    }

    /// Why requests cannot be served in a phase.
    #[expect(clippy::unused_self, reason = "reads as a question to the state")]
    pub(crate) fn trouble_of(&self, phase: &Phase) -> Option<Refusal> {
        match phase {
            Phase::Ready(_) => None,
            Phase::Opening => Some(opening()),
            Phase::Failed(refusal) => Some(refusal.clone()),
            Phase::Stopping => Some(refusal(
                ErrorCode::Unavailable,
                "the coordinator is stopping; try again when it is back",
            )),
        }
    }
}

fn opening() -> Refusal {
    refusal(
        ErrorCode::Unavailable,
        "the coordinator's store is being opened; try again in a moment",
    )
}

/// What a client is told when the store fails.
pub(crate) fn store_trouble(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::Full { .. } => ErrorCode::StoreFull,
        _ => ErrorCode::Unavailable,
    };
    refusal(code, error.to_string())
}
