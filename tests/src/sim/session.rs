//! The coordinator's end of streams, and what leaves once a batch is durable. Everything crosses the real wire types.

use openclaw_common::code::ErrorCode;
use openclaw_common::id::{LeaseId, SessionId};
use openclaw_coordinator::grpc::convert;
use openclaw_core::effect::{Close, Effects, Offer, Reply, Send, Verdict};
use openclaw_core::event::{ReplyId, SessionEvent};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Up;
use openclaw_proto::v1::connect_response::Message as Down;
use openclaw_worker::state::{ClosedBy, Exit};

use super::bug::Bug;
use super::chaos::CrashPoint;
use super::coordinator::Input;
use super::net::{ConnId, Parcel, Side};
use super::verdict::{Checked, broken};
use super::world::World;

impl World {
    /// Something arrives at the coordinator on a stream that it has not ended.
    pub(crate) fn coordinator_hears(&mut self, conn: ConnId, parcel: Parcel) -> Checked {
        let Some(stream) = self.conns.get(&conn) else {
            return Ok(());
        };
        let session = stream.session;
        match parcel {
            Parcel::Up(request) => match (request.message, session) {
                (Some(Up::Hello(hello)), None) => self.hears_hello(conn, hello),
                (_, None) => broken("protocol", "a worker's first message was not Hello"),
                (message, Some(session)) => self.hears_message(conn, session, message),
            },
            Parcel::End(_) => {
                self.hang_up(conn, Side::Coordinator, ClosedBy::Failure)?;
                self.session_ended(session)
            }
            Parcel::Down(_) => Ok(()),
        }
    }

    fn hears_hello(&mut self, conn: ConnId, hello: v1::Hello) -> Checked {
        self.coordinator.sessions += 1;
        let session = SessionId(self.coordinator.sessions);
        match convert::hello(hello) {
            Ok(hello) => {
                self.trace(format_args!(
                    "{conn:?} is {session:?}: Hello of {} holding {}",
                    hello.process_id,
                    leases(&hello.held)
                ));
                if let Some(stream) = self.conns.get_mut(&conn) {
                    stream.session = Some(session);
                }
                let opened = SessionEvent::Opened(Box::new(hello));
                self.drive(Input::Session(session, opened, Some(conn)))
            }
            Err(refusal) => broken(
                "protocol",
                format!("a true Hello was refused: {}", refusal.detail),
            ),
        }
    }

    fn hears_message(&mut self, conn: ConnId, session: SessionId, message: Option<Up>) -> Checked {
        let limits = &self.coordinator.greeting.limits;
        let inbound = match convert::inbound(message, limits) {
            Ok(inbound) => inbound,
            Err(refusal) => {
                return broken(
                    "protocol",
                    format!("a true message was refused: {}", refusal.detail),
                );
            }
        };
        if inbound.unknown > 0 {
            return broken(
                "protocol",
                format!("{conn:?} said something that means nothing to the coordinator"),
            );
        }
        let Some(event) = inbound.event else {
            return Ok(());
        };
        self.trace(format_args!("{session:?} says {}", shown(&event)));
        self.drive(Input::Session(session, event, None))
    }

    /// A stream that Hello was read from has ended.
    pub(crate) fn session_ended(&mut self, session: Option<SessionId>) -> Checked {
        match session {
            Some(session) if self.coordinator.run.is_some() => {
                self.drive(Input::Session(session, SessionEvent::Closed, None))
            }
            _ => Ok(()),
        }
    }

    /// Tells a worker to come back later.
    pub(crate) fn send_away(&mut self, conn: ConnId) -> Checked {
        let come_back_after_ms = u32::try_from(self.rng.between(200, 400)).unwrap_or(200);
        let draining = Down::Draining(v1::Draining {
            come_back_after_ms,
            reason: "the coordinator's store is being reopened".to_owned(),
        });
        self.send_down(conn, draining)?;
        self.hang_up(conn, Side::Coordinator, ClosedBy::Failure)
    }

    fn send_down(&mut self, conn: ConnId, message: Down) -> Checked {
        let open = self
            .conns
            .get(&conn)
            .is_some_and(|stream| stream.open_at(Side::Coordinator));
        if open {
            self.send(conn, Side::Worker, Parcel::Down(Box::new(message)))?;
        }
        Ok(())
    }

    /// What waited for a flush leaves: answers, messages, ends of streams.
    pub(crate) fn carry_out(&mut self, fx: Effects) -> Checked {
        for (id, reply) in fx.replies {
            self.answer(id, reply)?;
        }
        for (session, send) in fx.sends {
            if self.coordinator.armed == Some(CrashPoint::BetweenSends) && self.rng.percent(40) {
                return self.crash_coordinator(false);
            }
            self.carry_send(session, send)?;
        }
        for (session, close) in fx.closes {
            self.carry_close(session, close)?;
        }
        Ok(())
    }

    fn answer(&mut self, id: ReplyId, reply: Reply) -> Checked {
        let Some(run) = &mut self.coordinator.run else {
            return Ok(());
        };
        match run.waiters.remove(&id) {
            Some(waiter) => self.truth_answers(waiter, reply),
            None => broken(
                "driver",
                format!("an answer that nobody waits for: {reply:?}"),
            ),
        }
    }

    pub(crate) fn carry_send(&mut self, session: SessionId, send: Send) -> Checked {
        let Some(conn) = self
            .coordinator
            .run
            .as_ref()
            .and_then(|run| run.sessions.get(&session).copied())
        else {
            return Ok(());
        };
        match self.spoilt(send) {
            Send::Welcome(welcome) => {
                let messages: Vec<Down> =
                    convert::welcome(&welcome, session, &self.coordinator.greeting).collect();
                self.send_all(conn, messages)
            }
            Send::Offers { offer_seq, offers } => self.send_offers(conn, offer_seq, &offers),
            Send::HeartbeatAck { seq } => {
                self.send_down(conn, Down::HeartbeatAck(v1::HeartbeatAck { seq }))
            }
            Send::Verdicts(list) => self.send_all(conn, convert::verdicts(&list).collect()),
            Send::ResultAcks(list) => self.send_all(conn, convert::result_acks(&list).collect()),
            Send::Revoke(list) => self.send_all(conn, convert::revoke(&list).collect()),
            Send::Desired(desired) => {
                self.send_down(conn, Down::DesiredState(convert::desired(desired)))
            }
            Send::LeavingAck { last_offer_seq } => {
                self.send_down(conn, Down::LeavingAck(v1::LeavingAck { last_offer_seq }))
            }
            Send::Ping { nonce } => self.send_down(conn, Down::Ping(v1::Ping { nonce })),
        }
    }

    /// What a planted mistake makes of a message.
    fn spoilt(&self, mut send: Send) -> Send {
        let verdicts = match &mut send {
            Send::Verdicts(list) => list,
            Send::Welcome(welcome) => &mut welcome.verdicts,
            _ => return send,
        };
        match self.bug {
            Some(Bug::SendResultAsForget) => {
                for (_, verdict) in verdicts
                    .iter_mut()
                    .filter(|(_, verdict)| *verdict == Verdict::SendResult)
                {
                    *verdict = Verdict::Forget;
                }
            }
            Some(Bug::SupersededSpared) => {
                verdicts.retain(|(_, verdict)| *verdict != Verdict::KillAndForget);
            }
            Some(Bug::CancelNotSent) => verdicts.retain(|(_, verdict)| *verdict != Verdict::Kill),
            _ => {}
        }
        send
    }

    fn send_all(&mut self, conn: ConnId, messages: Vec<Down>) -> Checked {
        for message in messages {
            self.send_down(conn, message)?;
        }
        Ok(())
    }

    /// The specifications of an offer come from the store, as they were made durable.
    fn send_offers(&mut self, conn: ConnId, offer_seq: u64, offers: &[Offer]) -> Checked {
        let Some(run) = &self.coordinator.run else {
            return Ok(());
        };
        let mut wire = Vec::with_capacity(offers.len());
        for offer in offers {
            self.truth.check_offer_is_durable(offer.lease)?;
            let task_spec = match run.reader.spec(offer.task) {
                Ok(Some(spec)) => spec,
                Ok(None) => {
                    return broken(
                        "durable",
                        format!("{} is offered and has no specification", offer.task),
                    );
                }
                Err(error) => return broken("store", error.to_string()),
            };
            wire.push(v1::Offer {
                lease: Some(convert::wire_lease(offer.lease)),
                attempt: offer.attempt,
                task_spec,
            });
        }
        let list: Vec<String> = offers.iter().map(|offer| offer.lease.to_string()).collect();
        self.trace(format_args!(
            "offers {offer_seq} on {conn:?}: {}",
            list.join(" ")
        ));
        self.send_down(
            conn,
            Down::Offers(v1::Offers {
                offer_seq,
                offers: wire,
                more: false,
            }),
        )
    }

    fn carry_close(&mut self, session: SessionId, close: Close) -> Checked {
        let Some(conn) = self
            .coordinator
            .run
            .as_mut()
            .and_then(|run| run.sessions.remove(&session))
        else {
            return Ok(());
        };
        self.trace(format_args!("{session:?} is ended: {close:?}"));
        self.reach(match close {
            Close::Replaced => "stream replaced",
            Close::Superseded { .. } => "process superseded",
            Close::Refused(_) => "process refused",
            Close::Bye => "goodbye",
            Close::Protocol(_) => "protocol",
        });
        let by = match close {
            Close::Replaced | Close::Bye => ClosedBy::Failure,
            Close::Superseded { by } => {
                self.send_down(conn, Down::Superseded(v1::Superseded { by }))?;
                ClosedBy::Refusal(Exit::IdentityTaken)
            }
            Close::Refused(refusal) => match refusal.code {
                ErrorCode::AlreadyExists => ClosedBy::Refusal(Exit::IdentityTaken),
                ErrorCode::FailedPrecondition => ClosedBy::Incompatible,
                code => {
                    return broken(
                        "identity",
                        format!("a true worker was refused: {code}: {}", refusal.detail),
                    );
                }
            },
            Close::Protocol(what) => return broken("protocol", what),
        };
        self.hang_up(conn, Side::Coordinator, by)
    }
}

/// Leases and how far they are, in a few letters.
fn leases(held: &[openclaw_core::model::Held]) -> String {
    let one = |held: &openclaw_core::model::Held| format!("{}{:?}", held.lease, held.state);
    held.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// An event in a line.
fn shown(event: &SessionEvent) -> String {
    let list = |leases: &[LeaseId]| {
        let texts: Vec<String> = leases.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    match event {
        SessionEvent::Heartbeat(beat) => {
            format!(
                "heartbeat {} seen {} holding {}",
                beat.seq,
                beat.seen_offer_seq,
                leases(&beat.held)
            )
        }
        SessionEvent::Results(results) => {
            let each = |result: &openclaw_core::model::AttemptResult| {
                format!("{} {}", result.lease, result.outcome)
            };
            format!(
                "results {}",
                results.iter().map(each).collect::<Vec<_>>().join(", ")
            )
        }
        SessionEvent::Updates { started, .. } => format!("started {}", list(started)),
        SessionEvent::Released { leases, reason } => format!("released {} {reason}", list(leases)),
        SessionEvent::Pong { nonce } => format!("pong {nonce}"),
        SessionEvent::Opened(_) => "hello".to_owned(),
        SessionEvent::Closed => "end".to_owned(),
        SessionEvent::Inventory(_) => "inventory".to_owned(),
        SessionEvent::Leaving { .. } => "leaving".to_owned(),
        SessionEvent::Bye => "bye".to_owned(),
        SessionEvent::GoingToSleep { .. } => "going to sleep".to_owned(),
    }
}
