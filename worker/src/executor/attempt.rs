//! The life of one process: running, being ended, verified gone. Everything it prints is taken in all the while.

use std::time::{Duration, Instant};

use openclaw_common::id::LeaseId;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::api::{Event, Settings, Wanted};
use super::clock::{AwakeClock, Limits, TICK};
use super::ending::Cause;
use super::output::Output;
use super::progress::ProgressFile;
use super::pump::Pump;
use super::start::tell;
use super::tree::Tree;

/// How long pipes are read after the process has ended, while its children still hold them.
const PIPE_GRACE: Duration = Duration::from_secs(2);

/// How long pipes are read that nobody who belongs to the attempt can hold any more.
const LAST_READ: Duration = Duration::from_secs(1);

/// Pauses between two looks at whether a tree is gone.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const SLOWEST_LOOK: Duration = Duration::from_millis(200);

/// A process under way.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    lease: LeaseId,
    settings: &'a Settings,
    events: &'a mpsc::Sender<Event>,
    wanted: watch::Receiver<Wanted>,
    tree: Tree,
    pump: Pump,
    output: Output,
    clock: AwakeClock,
    limits: Limits,
    progress: Option<ProgressFile>,
    next_look: Instant,
}

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Itself,
    /// From here.
    Cut(Cause),
}

/// What is left of an attempt when nothing of it runs any more.
#[derive(Debug)]
pub(super) struct Remains {
    /// How it came to its end.
    pub(super) end: End,
    /// What had been asked of it.
    pub(super) wanted: Wanted,
    /// Time awake from start to end.
    pub(super) run: Duration,
    /// What it printed.
    pub(super) output: Output,
    /// Its tree, verified gone.
    pub(super) tree: Tree,
}

impl<'a> Attempt<'a> {
    /// An attempt whose process has just been started.
    pub(super) fn new(
        (lease, settings, events): (LeaseId, &'a Settings, &'a mpsc::Sender<Event>),
        wanted: watch::Receiver<Wanted>,
        (tree, pump, output): (Tree, Pump, Output),
        limits: Limits,
        progress: ProgressFile,
    ) -> Self {
        let now = Instant::now();
        let clock = AwakeClock::new(now);
        let (progress, next_look) = (Some(progress), now + TICK);
        Self {
            lease,
            settings,
            events,
            wanted,
            tree,
            pump,
            output,
            clock,
            limits,
            progress,
            next_look,
        }
    }

    /// Lives it to its end.
    pub(super) async fn live(mut self) -> Remains {
        let end = self.until_the_end().await;
        let run = self.clock.read(Instant::now());
        match end {
            End::Itself => self.drain(PIPE_GRACE, true).await,
            End::Cut(_) => self.end_gracefully().await,
        }
        self.make_sure().await;
        self.drain(LAST_READ, false).await;
        let wanted = *self.wanted.borrow();
        Remains {
            end,
            wanted,
            run,
            output: self.output,
            tree: self.tree,
        }
    }

    /// Runs until the process ends or is to be ended.
    async fn until_the_end(&mut self) -> End {
        loop {
            let now = Instant::now();
            self.output.send_due(now, self.events);
            let awake = self.clock.read(now);
            // A line may have been written since the last look.
            if now >= self.next_look || self.limits.reached(awake).is_some() {
                self.look_at_progress(awake).await;
            }
            let wanted = self
                .wanted
                .borrow_and_update()
                .end()
                .then_some(Cause::Wanted);
            if let Some(cause) = self.limits.reached(awake).map(Cause::Limit).or(wanted) {
                // What ended by itself first keeps its own outcome.
                return if self.tree.leader_has_ended() {
                    End::Itself
                } else {
                    End::Cut(cause)
                };
            }
            let wake = self.wake(now, awake);
            tokio::select! {
                () = self.tree.leader_ended() => return End::Itself,
                () = self.pump.read(&mut self.output) => {}
                _ = self.wanted.changed() => {}
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    /// When there is something to do that no event announces.
    fn wake(&self, now: Instant, awake: Duration) -> Instant {
        let limit = now + self.limits.wait(awake, TICK);
        // Output that found no room is tried again a little later, not at once.
        let output = self.output.due().unwrap_or(limit);
        limit.min(self.next_look).min(output)
    }

    async fn look_at_progress(&mut self, awake: Duration) {
        self.next_look = Instant::now() + TICK;
        let Some(mut file) = self.progress.take() else {
            return;
        };
        let looked = tokio::task::spawn_blocking(move || {
            let news = file.poll();
            (file, news)
        });
        let Ok((file, news)) = looked.await else {
            return;
        };
        self.progress = Some(file);
        if news.grown {
            self.limits.progressed(awake);
        }
        if let Some(report) = news.report {
            // A courtesy: a full channel has more important things in it.
            let event = Event::Progress {
                lease: self.lease,
                percent: report.percent,
                message: report.message,
            };
            drop(self.events.try_send(event));
        }
    }

    /// Takes in what is printed for at most `time`, or until nobody can print any more, or, if it may be hurried, until
    /// nobody wants to wait any more.
    async fn drain(&mut self, time: Duration, may_hurry: bool) {
        let deadline = tokio::time::Instant::now() + time;
        while self.pump.is_open() && !(may_hurry && self.wanted.borrow_and_update().now) {
            self.output.send_due(Instant::now(), self.events);
            tokio::select! {
                () = self.pump.read(&mut self.output) => {}
                _ = self.wanted.changed(), if may_hurry => {}
                () = sleep_until(deadline) => return,
            }
        }
    }

    /// Asks the tree to end and gives it time to.
    async fn end_gracefully(&mut self) {
        if self.wanted.borrow().now {
            return;
        }
        self.tree.ask_to_end().await;
        let deadline = Instant::now() + self.settings.grace;
        let mut pause = FIRST_LOOK;
        while Instant::now() < deadline && !self.wanted.borrow_and_update().now {
            if self.tree.has_ended().await {
                return;
            }
            self.take_in_until(deadline.min(Instant::now() + pause), true)
                .await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }

    /// Kills the tree until nothing of it is left. Tells once when that takes too long.
    async fn make_sure(&mut self) {
        let began = Instant::now();
        let (mut wedged, mut pause) = (false, FIRST_LOOK);
        while !self.tree.kill_and_verify().await {
            if !wedged && began.elapsed() >= self.settings.wedge_after {
                wedged = true;
                tracing::error!(lease = %self.lease, "a killed task does not go away; its slot stays blocked");
                tell(self.events, Event::Wedged { lease: self.lease }).await;
            }
            self.take_in_until(Instant::now() + pause, false).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }

    /// Takes in what is printed until `deadline`, or, if that may cut it short, until more is asked.
    async fn take_in_until(&mut self, deadline: Instant, until_asked: bool) {
        loop {
            self.output.send_due(Instant::now(), self.events);
            tokio::select! {
                () = self.pump.read(&mut self.output) => {}
                _ = self.wanted.changed(), if until_asked => return,
                () = sleep_until(deadline.into()) => return,
            }
        }
    }
}
