//! Taking in what waits in the lanes: workers first, then submits and control, then reads.

use openclaw_common::backoff::splitmix;
use openclaw_common::id::SessionId;
use openclaw_common::time::Now;
use openclaw_core::event::{Event, SessionEvent};

use super::lanes::{Command, Query, WorkerInput};
use super::run::Run;
use super::sessions::draining;

/// Events of each lane in one turn.
const WORKER_EVENTS: usize = 8_192;
const OTHER_EVENTS: usize = 1_024;

impl Run<'_> {
    pub(super) fn take_workers(&mut self, now: Now, first: Option<WorkerInput>) {
        let mut next = first.or_else(|| self.inlets.workers.try_recv().ok());
        for _ in 0..WORKER_EVENTS {
            let Some(input) = next else {
                return;
            };
            self.take_worker(now, input);
            next = self.inlets.workers.try_recv().ok();
        }
        if let Some(input) = next {
            self.take_worker(now, input);
        }
    }

    fn take_worker(&mut self, now: Now, input: WorkerInput) {
        match input {
            WorkerInput::Opened { outbox, .. } if self.draining => {
                outbox.close(draining(
                    "the coordinator is stopping",
                    0,
                    splitmix(&mut self.seed),
                ));
            }
            WorkerInput::Opened {
                session,
                outbox,
                hello,
            } => {
                self.sessions.add(session, outbox);
                self.session_event(now, session, SessionEvent::Opened(hello));
            }
            WorkerInput::Event {
                session,
                event,
                room,
            } => {
                self.gathering.rooms.extend(room);
                let known = match &event {
                    SessionEvent::Closed => self.sessions.remove(session).is_some(),
                    _ => self.sessions.get(session).is_some(),
                };
                if known {
                    self.session_event(now, session, event);
                }
            }
        }
    }

    pub(super) fn session_event(&mut self, now: Now, session: SessionId, event: SessionEvent) {
        self.core.handle(
            now,
            Event::Session { session, event },
            &mut self.gathering.fx,
        );
        self.ask();
        self.gathering.cut();
    }

    pub(super) fn take_control(&mut self, now: Now, mut first: Option<Command>) {
        for _ in 0..OTHER_EVENTS {
            // One that was received already is handled in any case.
            if first.is_none() && !self.gathering.has_room(self.limits) {
                return;
            }
            let Some(command) = first.take().or_else(|| self.inlets.control.try_recv().ok()) else {
                return;
            };
            let event = match command {
                Command::Submit {
                    principal,
                    tasks,
                    reply,
                    room,
                } => {
                    self.gathering.rooms.push(room);
                    let reply = self.replies.add(reply);
                    Event::Submit {
                        principal,
                        tasks,
                        reply,
                    }
                }
                Command::Cancel {
                    principal,
                    task,
                    reason,
                    reply,
                } => {
                    let reply = self.replies.add(reply);
                    Event::Cancel {
                        principal,
                        task,
                        reason,
                        reply,
                    }
                }
            };
            self.core.handle(now, event, &mut self.gathering.fx);
            self.gathering.cut();
        }
    }

    pub(super) fn take_reads(&mut self, now: Now, mut first: Option<Query>) {
        for _ in 0..OTHER_EVENTS {
            let Some(Query { query, reply }) =
                first.take().or_else(|| self.inlets.reads.try_recv().ok())
            else {
                return;
            };
            let reply = self.replies.add(reply);
            self.core
                .handle(now, Event::Query { query, reply }, &mut self.gathering.fx);
        }
    }
}
