//! The loop.

use std::time::Duration;

use openclaw_common::id::ClusterId;
use openclaw_common::time::{Mono, Now};
use openclaw_config::Address;
use openclaw_runtime::shutdown::Stage;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::attempts::Attempts;
use super::gap::Gap;
use super::notices::Notices;
use super::parts::Parts;
use super::wait::{Happened, Line, Woken};
use crate::connection::Dialed;
use crate::skills::Skills;
use crate::state::{Effects, Event, Exit};

/// How long the disk may take for what is still to be written when the worker ends.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How long output may take that is still to be delivered when the worker ends.
const LAST_OUTPUT: Duration = Duration::from_secs(2);
/// Skills are looked at again by the worker itself no more often than this, in milliseconds.
const LOOK_EVERY_MS: u64 = 10_000;

/// A worker at work.
pub(super) struct Driver {
    pub(super) parts: Parts,
    pub(super) attempts: Attempts,
    pub(super) line: Line,
    /// Where the present stream leads, until it is open.
    pub(super) dialed: Option<Dialed>,
    /// Where a stream was open last.
    pub(super) last: Option<Address>,
    pub(super) cluster: Option<ClusterId>,
    pub(super) fx: Effects,
    pub(super) heard: Vec<Event>,
    pub(super) happened: Happened,
    pub(super) notices: Notices,
    pub(super) stage: Stage,
    pub(super) seconds: Interval,
    pub(super) looking: Option<JoinHandle<Skills>>,
    looked_at: Mono,
    gap: Gap,
    /// Bytes of output known to be dropped, and told.
    dropped: u64,
    pub(super) exit: Option<Exit>,
}

/// Runs a worker until it is to end; tells why it ends. `cluster` is the one that the results in its spool belong to.
pub async fn run(parts: Parts, cluster: Option<ClusterId>) -> Exit {
    let mut driver = Driver::new(parts, cluster);
    driver.handle(driver.parts.clock.now(), Event::Tick);
    loop {
        let woken = driver.wait().await;
        driver.turn(woken);
        if let Some(exit) = driver.exit {
            driver.finish().await;
            return exit;
        }
    }
}

impl Driver {
    fn new(parts: Parts, cluster: Option<ClusterId>) -> Self {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = parts.clock.now();
        Self {
            attempts: Attempts::new(&parts),
            line: Line::default(),
            dialed: None,
            last: None,
            cluster,
            fx: Effects::new(),
            heard: Vec::new(),
            happened: Vec::new(),
            notices: Notices::default(),
            stage: Stage::Running,
            seconds,
            looking: None,
            looked_at: now.mono,
            gap: Gap::new(now),
            dropped: 0,
            exit: None,
            parts,
        }
    }

    /// Handles what the driver woke for: time first, so that a machine that slept knows it before it hears anything.
    fn turn(&mut self, woken: Woken) {
        let now = self.parts.clock.now();
        let gap = self.gap.look(now);
        if let Some(gap_ms) = gap {
            // What the old stream still had to say is out of date.
            self.heard.clear();
            self.handle(now, Event::Resumed { gap_ms });
        }
        for event in self.take_events() {
            self.handle(now, event);
        }
        match woken {
            Woken::Work | Woken::Deadline => {}
            Woken::Second => self.second(now),
            // A dial from before the sleep: what it brought is dropped, another one is under way.
            Woken::Dialed(_) if gap.is_some() => {}
            Woken::Dialed(outcome) => self.answered(now, outcome),
            Woken::Stop(stage) => {
                self.stage = stage;
                let reason = "the worker was asked to stop".to_owned();
                self.handle(
                    now,
                    Event::StopAsked {
                        now: stage == Stage::Now,
                        reason,
                    },
                );
            }
            Woken::Kept(done) => {
                let event = if done.written {
                    Event::Spooled(done.lease)
                } else {
                    Event::SpoolFailed(done.lease)
                };
                self.handle(now, event);
            }
            Woken::LookAgain => self.look_again(now),
            Woken::Looked(skills) => self.looked(now, skills),
        }
        if self
            .parts
            .state
            .next_deadline()
            .is_some_and(|at| at <= now.mono)
        {
            self.handle(now, Event::Tick);
        }
        self.say(now);
    }

    fn take_events(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.heard);
        for event in self.happened.drain(..) {
            events.extend(self.attempts.told(event, &mut self.parts.logs));
        }
        events
    }

    fn second(&mut self, now: Now) {
        self.parts.keeper.pass_on();
        if self.attempts.doubtful && now.mono.since(self.looked_at) >= LOOK_EVERY_MS {
            self.look_again(now);
        }
        let dropped = self.parts.logs.dropped();
        if dropped > self.dropped {
            tracing::warn!(
                bytes = dropped - self.dropped,
                "output was dropped: it came faster than it could be sent"
            );
            self.dropped = dropped;
        }
    }

    fn look_again(&mut self, now: Now) {
        if self.looking.is_none() {
            (self.attempts.doubtful, self.looked_at) = (false, now.mono);
            let finder = self.parts.finder.clone();
            self.looking = Some(
                self.parts
                    .tasks
                    .spawn_blocking("skills", move || finder.look()),
            );
        }
    }

    fn looked(&mut self, now: Now, skills: Option<Skills>) {
        let Some(skills) = skills else { return };
        let changed = skills.adverts() != self.attempts.skills.adverts();
        self.attempts.skills = skills;
        if changed {
            tracing::info!("skills changed");
            self.handle(now, Event::InventoryChanged);
        }
    }

    async fn finish(mut self) {
        self.say(self.parts.clock.now());
        self.line = Line::default();
        tokio::join!(
            self.parts.keeper.finish(LAST_WRITES),
            self.parts.logs.finish(LAST_OUTPUT)
        );
    }
}
