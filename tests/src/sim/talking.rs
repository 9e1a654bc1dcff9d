//! What a worker says and hears on its stream.

use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message as Down;
use openclaw_worker::convert;
use openclaw_worker::state::{Event, Message};

use super::agenda::ProcId;
use super::bug::Bug;
use super::net::{Conn, ConnId, Parcel, Side};
use super::verdict::{Checked, broken};
use super::world::World;

/// Heartbeats whose time is remembered.
const BEATS: usize = 64;

impl World {
    /// Something arrives at a worker.
    pub(crate) fn worker_hears(&mut self, conn: ConnId, parcel: Parcel) -> Checked {
        let Some(id) = self.conns.get(&conn).map(|stream| stream.proc) else {
            return Ok(());
        };
        self.read_clocks(id, false)?;
        let current = self.procs.get(&id).and_then(|proc| proc.conn) == Some(conn);
        if !current && !self.bugged(Bug::OldStreamHeard) {
            return Ok(());
        }
        match parcel {
            Parcel::Down(message) => {
                let composed = self.vouch(conn, &message);
                if let (Some(composed), Down::HeartbeatAck(_)) = (composed, &*message) {
                    self.check_unwanted(id, composed)?;
                }
                self.reach_verdicts(&message);
                let who = self.shown_proc(id);
                self.trace(format_args!("{who} hears {}", shown(&message)));
                let response = v1::ConnectResponse {
                    message: Some(*message),
                };
                match convert::event(response) {
                    Ok(Some(event)) => self.tell(id, event),
                    Ok(None) => broken(
                        "protocol",
                        "the coordinator said something that means nothing to the worker",
                    ),
                    Err(error) => broken("protocol", error.to_string()),
                }
            }
            Parcel::End(by) => self.worker_stream_ended(id, conn, by),
            Parcel::Up(_) => Ok(()),
        }
    }

    fn reach_verdicts(&mut self, message: &Down) {
        let verdicts = match message {
            Down::Welcome(welcome) => &welcome.verdicts,
            Down::Verdicts(list) => &list.verdicts,
            Down::Revoke(_) => return self.reach("offer asked back"),
            _ => return,
        };
        for verdict in verdicts {
            self.reach(match (verdict.action(), verdict.forget) {
                (v1::VerdictAction::Unspecified, _) => "no verdict",
                (v1::VerdictAction::Resume, _) => "verdict: resume",
                (v1::VerdictAction::Kill, false) => "verdict: kill",
                (v1::VerdictAction::Kill, true) => "verdict: kill and forget",
                (v1::VerdictAction::SendResult, _) => "verdict: send the result",
                (v1::VerdictAction::Forget, _) => "verdict: forget",
            });
        }
    }

    /// Remembers by the true time what the coordinator has acknowledged; gives the time when that was composed.
    pub(crate) fn vouch(&mut self, conn: ConnId, message: &Down) -> Option<u64> {
        let stream = self.conns.get_mut(&conn)?;
        let at = match message {
            Down::Welcome(_) => Some(stream.hello_at),
            Down::HeartbeatAck(ack) => {
                let beat = stream.beats.iter().find(|(seq, _)| *seq == ack.seq);
                beat.map(|(_, at)| *at)
            }
            _ => None,
        };
        stream.vouched = stream.vouched.max(at);
        at
    }

    /// The stream can take messages: what is said is composed now.
    pub(crate) fn pump(&mut self, id: ProcId) -> Checked {
        self.read_clocks(id, false)?;
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        proc.pumping = false;
        let Some(conn) = proc.conn else {
            return Ok(());
        };
        while self.conns.get(&conn).is_some_and(Conn::has_room) {
            let Some(proc) = self.procs.get_mut(&id) else {
                return Ok(());
            };
            let now = self.machines[proc.machine].clock.now(self.now, proc.origin);
            let Some(message) = proc.state.compose(now) else {
                {
                    self.after(id);
                    return Ok(());
                }
            };
            self.say(id, conn, message)?;
        }
        self.pump_by(id, 1_000);
        Ok(())
    }

    pub(crate) fn say(&mut self, id: ProcId, conn: ConnId, message: Message) -> Checked {
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let host = &self.machines[proc.machine];
        let sent = match &message {
            Message::Results(list) => list.iter().map(|finished| finished.lease).collect(),
            _ => Vec::new(),
        };
        let mut beat = None;
        let mut request = convert::request(message, v1::NodeLoad::default(), || host.inventory());
        if let Some(v1::connect_request::Message::Heartbeat(heartbeat)) = &mut request.message {
            beat = Some(heartbeat.seq);
            if self.bug == Some(Bug::HeartbeatOmitsRunning) {
                let running = i32::from(v1::LeaseState::Running);
                heartbeat.held.retain(|held| held.state != running);
            }
            if self.bug == Some(Bug::HeartbeatSeesTooMuch) {
                heartbeat.seen_offer_seq += 1_000;
            }
        }
        if let (Some(seq), Some(stream)) = (beat, self.conns.get_mut(&conn)) {
            stream.beats.push_back((seq, self.now));
            if stream.beats.len() > BEATS {
                stream.beats.pop_front();
            }
        }
        self.send(conn, Side::Coordinator, Parcel::Up(Box::new(request)))?;
        if self.bugged(Bug::ResultForgottenWhenSent) && !sent.is_empty() {
            self.tell(id, Event::ResultAcks(sent))?;
        }
        if let Some(seq) = beat.filter(|_| self.bugged(Bug::SelfVouched)) {
            self.tell(id, Event::HeartbeatAcked { seq })?;
        }
        Ok(())
    }
}

/// A message in a word or two.
fn shown(message: &Down) -> String {
    let verdicts = |list: &[v1::Verdict]| {
        let one = |verdict: &v1::Verdict| {
            let lease = verdict.lease.unwrap_or_default();
            format!(
                "{}.{}={:?}{}",
                lease.epoch,
                lease.counter,
                verdict.action(),
                if verdict.forget { "!" } else { "" }
            )
        };
        list.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let leases = |list: &[v1::Lease]| {
        let one = |lease: &v1::Lease| format!("{}.{}", lease.epoch, lease.counter);
        list.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    match message {
        Down::Welcome(welcome) => format!(
            "welcome {} {}",
            welcome.session_id,
            verdicts(&welcome.verdicts)
        ),
        Down::Offers(offers) => format!("offers {}", offers.offer_seq),
        Down::HeartbeatAck(ack) => format!("ack {}", ack.seq),
        Down::Verdicts(list) => format!("verdicts {}", verdicts(&list.verdicts)),
        Down::ResultAcks(list) => format!("result acks {}", leases(&list.leases)),
        Down::Revoke(list) => format!("revoke {}", leases(&list.leases)),
        Down::DesiredState(_) => "desired state".to_owned(),
        Down::LeavingAck(ack) => format!("leaving ack {}", ack.last_offer_seq),
        Down::Draining(_) => "draining".to_owned(),
        Down::Superseded(_) => "superseded".to_owned(),
        Down::Ping(_) => "ping".to_owned(),
    }
}
