//! One place where waiting meets Ctrl-C, the time limit and the notes that are due.

use std::future::Future;
use std::time::Duration;

use openclaw_proto::v1;
use openclaw_runtime::shutdown::{Shutdown, Signals};
use tokio::time::Instant;

use super::notes::Notes;
use crate::failure::Failure;
use crate::output::Printer;

/// Why watching ended before the task did.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Ctrl-C, or a request to terminate.
    Interrupted,
    /// The time limit.
    TimedOut,
    /// It cannot go on.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Waits for one thing after another until somebody stops it.
#[derive(Debug)]
pub(crate) struct Watcher {
    shutdown: Shutdown,
    // Heard as long as this lives.
    _signals: Signals,
    deadline: Option<Instant>,
    notes: Notes,
}

impl Watcher {
    /// Begins to listen to signals; the time limit counts from now.
    pub(crate) fn new(printer: &Printer, limit: Option<Duration>) -> Result<Self, Failure> {
        let signals = Signals::install().map_err(|error| {
            Failure::local("SIGNALS", format!("cannot listen to signals: {error}"))
        })?;
        Ok(Self {
            shutdown: signals.shutdown(),
            _signals: signals,
            // A limit beyond what the clock can hold is none.
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            notes: Notes::new(printer.clone()),
        })
    }

    /// Waits for `work`, printing what is due meanwhile.
    pub(crate) async fn until<F: Future>(&mut self, work: F) -> Result<F::Output, Stop> {
        tokio::pin!(work);
        loop {
            let due = self.notes.due();
            tokio::select! {
                biased;
                () = self.shutdown.graceful() => return Err(Stop::Interrupted),
                output = &mut work => return Ok(output),
                () = reached(self.deadline) => return Err(Stop::TimedOut),
                () = reached(due) => self.notes.show(),
            }
        }
    }

    /// Waits for `work` while stopping; `None` when a second request to stop comes first.
    pub(crate) async fn until_hurried<F: Future>(&mut self, work: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = work => Some(output),
            () = self.shutdown.now() => None,
        }
    }

    /// Takes in the state of the one task that is watched.
    pub(crate) fn state(&mut self, state: &v1::TaskState) {
        self.notes.state(state);
    }

    /// Prints a line at once.
    pub(crate) fn say(&self, line: &str) {
        self.notes.say(line);
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
