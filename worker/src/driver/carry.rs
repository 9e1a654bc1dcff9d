//! Carrying out what the state decided, in the order of its effects.

use openclaw_common::time::Now;
use openclaw_runtime::identity::Facts;
use tokio::sync::mpsc::Sender;
use tokio_util::task::AbortOnDropHandle;

use super::turn::Driver;
use super::wait::Line;
use crate::connection::{Dialed, open};
use crate::convert;
use crate::executor::Terms;
use crate::spool::Order;
use crate::state::{Closed, Effects, Event, Message, Welcome};

impl Driver {
    /// Hands one event to the state and carries out all that follows from it.
    pub(super) fn handle(&mut self, now: Now, event: Event) {
        match &event {
            Event::Welcomed(welcome) => self.welcomed(welcome),
            Event::Closed(_) => self.hang_up(),
            _ => {}
        }
        self.parts.state.handle(now, event, &mut self.fx);
        while !self.fx.is_empty() {
            let fx = std::mem::take(&mut self.fx);
            self.carry_out(now, fx);
        }
    }

    fn carry_out(&mut self, now: Now, fx: Effects) {
        if fx.close {
            self.hang_up();
        }
        for job in fx.starts {
            if let Some(ended) = self.attempts.start(job) {
                self.parts.state.handle(now, ended, &mut self.fx);
            }
        }
        for kill in fx.kills {
            self.attempts.kill(kill);
        }
        for finished in fx.spool_writes {
            // A result without a cluster cannot be: attempts come from a coordinator that named itself.
            if let Some(cluster) = self.cluster {
                self.parts.keeper.order(Order::Write { cluster, finished });
            }
        }
        for lease in fx.spool_removals {
            self.parts.keeper.order(Order::Remove(lease));
        }
        if let Some(cluster) = fx.spool_aside {
            self.parts.keeper.order(Order::SetAside(cluster));
        }
        if let Some(known) = fx.remember {
            self.cluster = Some(known.cluster);
            self.parts.keeper.order(Order::Remember(known));
        }
        if fx.connect {
            self.dial();
        }
        for notice in &fx.notices {
            self.notices.tell(notice);
        }
        self.exit = self.exit.or(fx.exit);
    }

    fn welcomed(&mut self, welcome: &Welcome) {
        let or = |told: u64, default: usize| match usize::try_from(told) {
            Ok(0) | Err(_) => default,
            Ok(told) => told,
        };
        self.attempts.set_terms(Terms {
            node_id: welcome.node_id.clone(),
            max_result_bytes: or(welcome.max_result_bytes, self.parts.terms.max_result_bytes),
            max_output_bytes: or(welcome.max_output_bytes, self.parts.terms.max_output_bytes),
        });
        if let Some(dialed) = self.dialed.take() {
            self.last = Some(dialed.candidate.address.clone());
            self.parts.logs.coordinator(dialed);
        }
    }

    fn hang_up(&mut self) {
        self.line = Line::default();
        self.dialed = None;
    }

    fn dial(&mut self) {
        self.hang_up();
        let (dialer, last) = (self.parts.dialer.clone(), self.last.clone());
        let task = self.parts.tasks.spawn("dial", async move {
            dialer
                .dial(last.as_ref())
                .await
                .map(Box::new)
                .map_err(|error| Closed::from(&error))
        });
        self.line.dialing = Some(AbortOnDropHandle::new(task));
    }

    /// A dial is over. Its outcome counts unless something else was decided meanwhile.
    pub(super) fn answered(&mut self, now: Now, outcome: Result<Box<Dialed>, Closed>) {
        if self.line.dialing.is_some() || !self.parts.state.is_dialing() {
            return;
        }
        match outcome {
            Ok(dialed) => self.greet(now, *dialed),
            Err(closed) => self.handle(now, Event::Closed(closed)),
        }
    }

    /// A coordinator answered: say Hello as things stand now.
    fn greet(&mut self, now: Now, dialed: Dialed) {
        let Driver {
            parts, attempts, ..
        } = self;
        // The way to the coordinator may have changed, and with it our own address.
        parts.about.facts = parts.offering.facts(&Facts::collect(Some(dialed.peer)));
        let inventory = parts.offering.inventory(&attempts.skills);
        let part = parts.state.compose_hello(now);
        let hello = convert::hello(&part, &parts.about, *parts.load.borrow(), inventory);
        self.line.control = Some(open(&parts.tasks, dialed.clone(), hello));
        self.dialed = Some(dialed);
    }

    /// Says what there is to say, as far as the stream can take it.
    pub(super) fn say(&mut self, now: Now) {
        let Driver {
            parts,
            attempts,
            line,
            ..
        } = self;
        let Some(control) = &mut line.control else {
            return;
        };
        while parts.state.has_output() {
            let Some(Ok(permit)) = control.outgoing.as_ref().map(Sender::try_reserve) else {
                return;
            };
            let Some(message) = parts.state.compose(now) else {
                return;
            };
            let last = matches!(message, Message::Bye { .. });
            let inventory = || parts.offering.inventory(&attempts.skills);
            permit.send(convert::request(message, *parts.load.borrow(), inventory));
            if last {
                // Ends our half of the stream; the coordinator ends the other.
                control.outgoing = None;
            }
        }
    }
}
