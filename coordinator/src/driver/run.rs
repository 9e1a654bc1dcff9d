//! One run of a core: from a store that was opened until it fails or the program ends.

use std::time::Duration;

use openclaw_common::backoff::splitmix;
use openclaw_common::time::{Mono, Now};
use openclaw_core::Core;
use openclaw_core::effect::Send;
use openclaw_core::event::{Event, SessionEvent};
use openclaw_core::record::Write;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::lanes::{Command, Inlets, Query, WorkerInput};
use super::pending::Pending;
use super::publish::Publisher;
use super::replies::Replies;
use super::sessions::Sessions;
use super::watchdog::{TICK_MS, Watchdog};
use crate::outbox::{End, Out};
use crate::shared::{Phase, Shared};
use crate::store::{Committed, Completion, Limits, StoreError, StoreThread};

/// Why a run is over.
#[derive(Debug)]
pub(super) enum Exit {
    /// Everything was flushed and the program ends.
    Stopped,
    /// The store failed: what was not answered has an unknown outcome.
    Failed(StoreError),
}

/// When to send workers away, and when to end.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    /// Workers are sent away and none are taken.
    pub(super) drain: CancellationToken,
    /// What waits is handled and flushed, then the run ends.
    pub(super) stop: CancellationToken,
}

/// A batch that is being made durable.
struct Flush {
    after: Pending,
    done: Completion<Committed>,
}

/// What ended a wait.
enum Woke {
    Worker(WorkerInput),
    Control(Command),
    Read(Query),
    Flushed(Result<Committed, StoreError>),
    Drain,
    Stop,
    Time,
}

pub(super) struct Run<'a> {
    pub(super) core: Core,
    store: &'a StoreThread,
    pub(super) limits: Limits,
    epoch: u64,
    pub(super) seed: u64,
    shared: &'a Shared,
    pub(super) inlets: &'a mut Inlets,
    signals: Signals,
    pub(super) replies: Replies,
    pub(super) sessions: Sessions,
    publisher: Publisher,
    watchdog: Watchdog,
    pub(super) gathering: Pending,
    /// An emptied batch whose lists keep their capacity.
    spare: Pending,
    flushing: Option<Flush>,
    alarm: std::pin::Pin<Box<Sleep>>,
    pub(super) draining: bool,
    stopping: bool,
}

/// What a run begins with.
pub(super) struct Start<'a> {
    pub(super) core: Core,
    pub(super) store: &'a StoreThread,
    pub(super) limits: Limits,
    pub(super) now: Now,
    pub(super) seed: u64,
    pub(super) shared: &'a Shared,
    pub(super) inlets: &'a mut Inlets,
    pub(super) signals: Signals,
}

impl<'a> Run<'a> {
    pub(super) fn new(start: Start<'a>) -> Self {
        Self {
            epoch: start.core.epoch(),
            core: start.core,
            store: start.store,
            limits: start.limits,
            seed: start.seed,
            publisher: Publisher::new(start.shared.views()),
            shared: start.shared,
            inlets: start.inlets,
            signals: start.signals,
            replies: Replies::default(),
            sessions: Sessions::default(),
            watchdog: Watchdog::new(start.now),
            gathering: Pending::default(),
            spare: Pending::default(),
            flushing: None,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            draining: false,
            stopping: false,
        }
    }

    /// Runs until the store fails or the program ends.
    pub(super) async fn drive(mut self) -> Exit {
        // The first turn shows the restored state and sets what it is time for.
        self.turn(None);
        let exit = loop {
            if self.stopping
                && self.flushing.is_none()
                && self.gathering.is_empty()
                && self.inlets.are_idle()
            {
                break Exit::Stopped;
            }
            match self.wait().await {
                Woke::Flushed(Err(error)) => break Exit::Failed(error),
                Woke::Flushed(Ok(committed)) => self.flushed(committed),
                Woke::Drain => self.send_workers_away("the coordinator is stopping"),
                Woke::Stop => {
                    self.stopping = true;
                    self.turn(None);
                }
                Woke::Time => self.turn(None),
                woke => self.turn(Some(woke)),
            }
        };
        self.end(&exit);
        exit
    }

    async fn wait(&mut self) -> Woke {
        let room = self.gathering.has_room(self.limits);
        self.arm();
        tokio::select! {
            biased;
            flushed = finished(&mut self.flushing) => Woke::Flushed(flushed),
            () = self.signals.drain.cancelled(), if !self.draining => Woke::Drain,
            () = self.signals.stop.cancelled(), if !self.stopping => Woke::Stop,
            Some(input) = self.inlets.workers.recv(), if room => Woke::Worker(input),
            Some(command) = self.inlets.control.recv(), if room => Woke::Control(command),
            Some(query) = self.inlets.reads.recv(), if room => Woke::Read(query),
            () = self.alarm.as_mut(), if room => Woke::Time,
        }
    }

    /// Sets the alarm to the next thing it is time for. An alarm that is too early is harmless and costs nothing.
    fn arm(&mut self) {
        let now = self.shared.clock.mono();
        let mut due = now.plus(TICK_MS);
        if let Some(deadline) = self.core.next_deadline() {
            due = due.min(deadline);
        }
        // A batch on its way takes the view along; without one the view needs a turn of its own.
        if self.flushing.is_none()
            && let Some(view) = self.publisher.due(self.core.view_version())
        {
            due = due.min(view);
        }
        let at = Instant::now() + Duration::from_millis(due.since(now));
        if self.alarm.is_elapsed() || at < self.alarm.deadline() {
            self.alarm.as_mut().reset(at);
        }
    }

    /// Takes in everything that waits, then lets due deadlines fire, then starts the flush if none is under way.
    fn turn(&mut self, first: Option<Woke>) {
        let now = self.shared.clock.now();
        self.shared.turned(now.mono);
        if let Some(gap_ms) = self.watchdog.turn(now) {
            tracing::warn!(
                gap_ms,
                "the coordinator stood still; no node is judged by that time"
            );
            self.core
                .handle(now, Event::Stalled { gap_ms }, &mut self.gathering.fx);
            self.gathering.cut();
        }
        let (mut worker, mut command, mut query) = (None, None, None);
        match first {
            Some(Woke::Worker(input)) => worker = Some(input),
            Some(Woke::Control(input)) => command = Some(input),
            Some(Woke::Read(input)) => query = Some(input),
            _ => {}
        }
        self.take_workers(now, worker);
        self.take_control(now, command);
        self.take_reads(now, query);
        self.core.advance(now, &mut self.gathering.fx);
        self.gathering.cut();
        self.launch(now);
    }

    /// Questions leave at once: a clock runs for their answers, and a slow disk must not use it up.
    pub(super) fn ask(&mut self) {
        for (session, nonce) in self.gathering.fx.asks.drain(..) {
            if let Some(outbox) = self.sessions.get(session) {
                outbox.push(Out::Send(Send::Ping { nonce }));
            }
        }
    }

    /// Hands what was collected to the store, or carries it out at once when nothing needs to be durable before it.
    fn launch(&mut self, now: Now) {
        if self.flushing.is_some() {
            return;
        }
        self.take_view(now);
        if self.gathering.is_empty() {
            return;
        }
        let mut batch = std::mem::replace(&mut self.gathering, std::mem::take(&mut self.spare));
        if batch.fx.writes.is_empty() {
            self.carry_out(batch);
            return;
        }
        self.remember_specs(now.mono, &batch.fx.writes);
        let writes = batch.take_batch(&self.shared.hub);
        let done = self.store.submit(writes);
        self.flushing = Some(Flush { after: batch, done });
    }

    fn remember_specs(&self, now: Mono, writes: &[Write]) {
        let fresh = writes.iter().filter_map(|write| match write {
            Write::Submit(row) => Some((row.task.id, row.task.spec.clone())),
            _ => None,
        });
        self.shared.specs.add(now, fresh);
    }

    fn take_view(&mut self, now: Now) {
        let version = self.core.view_version();
        if self
            .publisher
            .due(version)
            .is_some_and(|due| due <= now.mono)
        {
            let view = self.core.view(now);
            self.gathering.view = Some(self.publisher.taken(version, now, view));
        }
    }

    /// The batch is durable: everything that waited for it leaves, then the next one starts.
    fn flushed(&mut self, committed: Committed) {
        tracing::trace!(?committed, "a batch is durable");
        if let Some(flush) = self.flushing.take() {
            self.carry_out(flush.after);
        }
        self.launch(self.shared.clock.now());
    }

    fn carry_out(&mut self, mut after: Pending) {
        for (id, reply) in after.fx.replies.drain(..) {
            self.replies.answer(id, reply);
        }
        for (session, send) in after.fx.sends.drain(..) {
            if let Some(outbox) = self.sessions.get(session) {
                outbox.push(Out::Send(send));
            }
        }
        for (session, close) in after.fx.closes.drain(..) {
            if let Some(outbox) = self.sessions.remove(session) {
                outbox.close(End::Core(close));
            }
        }
        self.shared
            .hub
            .publish(after.fx.notices.drain(..), &after.ends);
        if let Some(view) = after.view.take() {
            self.publisher.publish(view);
        }
        after.rooms.clear();
        after.ends.clear();
        self.spare = after;
    }

    /// No worker is to be connected any more: their leases live on, they come back to whoever is here then.
    fn send_workers_away(&mut self, reason: &str) {
        self.draining = true;
        self.shared.set_phase(Phase::Stopping);
        let now = self.shared.clock.now();
        for session in self.sessions.send_away(reason, splitmix(&mut self.seed)) {
            self.session_event(now, session, SessionEvent::Closed);
        }
        self.turn(None);
    }

    fn end(mut self, exit: &Exit) {
        let reason = match exit {
            Exit::Stopped => "the coordinator is stopping",
            Exit::Failed(_) => "the coordinator's store is being reopened",
        };
        self.sessions.send_away(reason, splitmix(&mut self.seed));
        self.shared.specs.clear();
        self.shared.hub.end_run();
        // What is dropped now tells whoever still waits that the outcome is unknown.
    }
}

/// Completes when the batch under way is durable, or has failed; never when there is none.
async fn finished(flushing: &mut Option<Flush>) -> Result<Committed, StoreError> {
    match flushing {
        Some(flush) => (&mut flush.done).await,
        None => std::future::pending().await,
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Run")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
