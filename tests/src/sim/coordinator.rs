//! The coordinator's process as it is simulated: the real core and the real store between a driver of its own.
//!
//! The driver keeps the order that the real one promises: everything that waits is handled, then deadlines fire, then
//! the writes become one batch; replies, sends and closes of a batch leave when it is durable, in order; meanwhile the
//! next batch is collected. A batch that fails ends the run of the core, never the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::id::SessionId;
use openclaw_common::time::Now;
use openclaw_coordinator::grpc::convert;
use openclaw_coordinator::store::memory::Disk;
use openclaw_coordinator::store::{Reader, Store};
use openclaw_core::Core;
use openclaw_core::effect::Effects;
use openclaw_core::event::{Event, ReplyId, SessionEvent};
use openclaw_core::settings::Settings;
use openclaw_worker::state::ClosedBy;

use super::agenda::Step;
use super::bug::Bug;
use super::chaos::CrashPoint;
use super::client::Waiter;
use super::clock::Clock;
use super::net::{ConnId, Side};
use super::verdict::Checked;
use super::world::World;

/// The driver takes a turn at least this often.
const TICK_MS: u64 = 1_000;
/// What more than this means that the coordinator stood still.
const TOLERANCE_MS: u64 = 5_000;
/// How often the view is compared with the truth.
const VIEW_MS: u64 = 7_000;

/// Something for the driver.
#[derive(Debug)]
pub(crate) enum Input {
    /// A worker's event; its stream when it is the first.
    Session(SessionId, SessionEvent, Option<ConnId>),
    /// A client's request.
    Request(Event, Waiter),
}

/// The machine, its disk, and what runs on it.
pub(crate) struct Coordinator {
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) settings: Settings,
    pub(crate) greeting: convert::Greeting,
    /// The process lives.
    pub(crate) up: bool,
    pub(crate) run: Option<Run>,
    /// Counts openings and crashes; what is on the agenda for an earlier one is void.
    pub(crate) life: u64,
    pub(crate) lane: Vec<Input>,
    pub(crate) turn_at: Option<u64>,
    pub(crate) sessions: u64,
    pub(crate) armed: Option<CrashPoint>,
    /// What the clocks said at the last turn.
    pub(crate) last: Now,
    /// Tries to open the store since the last success.
    pub(crate) tries: u32,
}

/// One run of a core.
pub(crate) struct Run {
    pub(crate) core: Core,
    pub(crate) store: Box<dyn Store>,
    pub(crate) reader: Arc<dyn Reader>,
    /// The store's epoch.
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) gathering: Pending,
    pub(crate) flushing: Option<Pending>,
    pub(crate) sessions: BTreeMap<SessionId, ConnId>,
    pub(crate) waiters: BTreeMap<ReplyId, Waiter>,
    pub(crate) replies: u64,
}

/// What waits for its flush.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) fx: Effects,
    pub(crate) cuts: Vec<usize>,
}

impl Coordinator {
    pub(crate) fn new(settings: Settings, clock: Clock) -> Self {
        Self {
            last: clock.now(0, 0),
            clock,
            disk: Disk::new(),
            settings,
            greeting: convert::Greeting {
                limits: convert::Limits::default(),
                cluster_name: "simulated".to_owned(),
                build: "0.1.0".to_owned(),
            },
            up: false,
            run: None,
            life: 0,
            lane: Vec::new(),
            turn_at: None,
            sessions: 0,
            armed: None,
            tries: 0,
        }
    }
}

impl World {
    /// What the coordinator's clocks say.
    pub(crate) fn coordinator_now(&self) -> Now {
        self.coordinator.clock.now(self.now, 0)
    }

    /// Puts something into the driver's lane.
    pub(crate) fn drive(&mut self, input: Input) -> Checked {
        if self.coordinator.run.is_none() {
            return self.refuse(&input);
        }
        self.coordinator.lane.push(input);
        let at = self.now + self.rng.between(0, 2);
        self.turn_by(at);
        Ok(())
    }

    /// While the store is being reopened workers are sent away and requests have an unknown outcome.
    pub(crate) fn refuse(&mut self, input: &Input) -> Checked {
        match input {
            Input::Session(_, _, Some(conn)) => {
                self.hang_up(*conn, Side::Coordinator, ClosedBy::Failure)
            }
            Input::Session(..) => Ok(()),
            Input::Request(_, waiter) => {
                self.unanswered(*waiter);
                Ok(())
            }
        }
    }

    pub(crate) fn turn_by(&mut self, at: u64) {
        if self.coordinator.turn_at.is_none_or(|set| at < set) {
            self.coordinator.turn_at = Some(at);
            let life = self.coordinator.life;
            self.agenda.push(at, &mut self.rng, Step::Turn(life));
        }
    }

    /// Everything that waits, then due deadlines, then the flush.
    pub(crate) fn turn(&mut self, life: u64) -> Checked {
        if life != self.coordinator.life || self.coordinator.turn_at.is_none_or(|at| at > self.now)
        {
            return Ok(());
        }
        self.coordinator.turn_at = None;
        if self.coordinator.run.is_none() {
            return Ok(());
        }
        let now = self.coordinator_now();
        let last = std::mem::replace(&mut self.coordinator.last, now);
        let gap = stood_still(last, now);
        if let Some(gap_ms) = gap {
            self.trace(format_args!("the coordinator stood still for {gap_ms} ms"));
            self.reach("coordinator stood still");
            self.truth_stalled(last, now);
            if !self.bugged(Bug::StallNotTold) {
                self.decide(now, Event::Stalled { gap_ms })?;
            }
        }
        for input in std::mem::take(&mut self.coordinator.lane) {
            self.take(now, input)?;
        }
        let due = |run: &Run| run.core.next_deadline().is_some_and(|due| due <= now.mono);
        if gap.is_some() || self.coordinator.run.as_ref().is_some_and(due) || self.dirty {
            self.dirty = false;
            self.advance(now)?;
        }
        if self.now >= self.view_due {
            self.view_due = self.now + VIEW_MS;
            self.check_view(now)?;
        }
        self.launch()?;
        self.alarm(now);
        Ok(())
    }

    fn alarm(&mut self, now: Now) {
        let Some(run) = &self.coordinator.run else {
            return;
        };
        let due = run
            .core
            .next_deadline()
            .map_or(TICK_MS, |due| due.since(now.mono).min(TICK_MS));
        self.turn_by(self.now + due.max(1));
    }

    fn take(&mut self, now: Now, input: Input) -> Checked {
        match input {
            Input::Session(session, event, conn) => self.take_session(now, session, event, conn),
            Input::Request(event, waiter) => {
                let Some(run) = &mut self.coordinator.run else {
                    return Ok(());
                };
                run.replies += 1;
                let reply = ReplyId(run.replies);
                run.waiters.insert(reply, waiter);
                self.decide(now, with_reply(event, reply))
            }
        }
    }

    fn take_session(
        &mut self,
        now: Now,
        session: SessionId,
        event: SessionEvent,
        conn: Option<ConnId>,
    ) -> Checked {
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        let known = match (&event, conn) {
            (SessionEvent::Opened(_), Some(conn)) => {
                run.sessions.insert(session, conn);
                true
            }
            (SessionEvent::Closed, _) => run.sessions.remove(&session).is_some(),
            _ => run.sessions.contains_key(&session),
        };
        let confused = self.bugged(Bug::CloseOfOldStream) && event == SessionEvent::Closed;
        if confused && let Some(newer) = self.truth.newer_session(session) {
            return self.decide(
                now,
                Event::Session {
                    session: newer,
                    event,
                },
            );
        }
        if !known {
            return Ok(());
        }
        self.truth_hears(now, session, &event);
        if self.bugged(Bug::ResultByTask) {
            return self.decide_by_task(now, session, event);
        }
        let event = match event {
            SessionEvent::Closed if self.bugged(Bug::CloseTakenAsBye) => SessionEvent::Bye,
            event => event,
        };
        self.decide(now, Event::Session { session, event })
    }

    /// What becomes of results when they are told apart by their task: a mistake to be caught.
    fn decide_by_task(&mut self, now: Now, session: SessionId, mut event: SessionEvent) -> Checked {
        let lease = match &event {
            SessionEvent::Results(results) => results.first().map(|result| result.lease),
            _ => None,
        };
        let session = lease
            .and_then(|lease| self.truth.session_of_latest(lease))
            .unwrap_or(session);
        self.truth.take_results_for_latest(&mut event);
        self.decide(now, Event::Session { session, event })
    }

    /// The core handles one event.
    fn decide(&mut self, now: Now, event: Event) -> Checked {
        self.dirty = true;
        let mut fx = Effects::default();
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        run.core.handle(now, event, &mut fx);
        self.absorb(now, fx)
    }

    fn advance(&mut self, now: Now) -> Checked {
        let mut fx = Effects::default();
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        run.core.advance(now, &mut fx);
        self.absorb(now, fx)
    }
}

/// How long the coordinator stood still before this turn, if it did.
fn stood_still(last: Now, now: Now) -> Option<u64> {
    let mono = now.mono.since(last.mono);
    let ahead = now.wall.since(last.wall);
    let back = last.wall.since(now.wall);
    let apart = if back > 0 {
        mono + back
    } else {
        mono.abs_diff(ahead)
    };
    if mono > TICK_MS + TOLERANCE_MS {
        return Some(mono.max(ahead));
    }
    (apart > TOLERANCE_MS).then_some(apart)
}

fn with_reply(event: Event, id: ReplyId) -> Event {
    match event {
        Event::Submit {
            principal, tasks, ..
        } => Event::Submit {
            principal,
            tasks,
            reply: id,
        },
        Event::Cancel {
            principal,
            task,
            reason,
            ..
        } => Event::Cancel {
            principal,
            task,
            reason,
            reply: id,
        },
        Event::Query { query, .. } => Event::Query { query, reply: id },
        other => other,
    }
}
