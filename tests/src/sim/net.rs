//! The simulated network: streams that keep their order, until they break and lose what was under way.
//!
//! Within a stream nothing is lost, doubled or reordered, as TCP promises. Between streams everything may be: what an
//! old stream still had under way arrives after a new one has opened, and either side may believe for long in a stream
//! that the other one has given up. A partition holds messages back; they arrive when it is over.

use std::collections::VecDeque;

use openclaw_common::id::SessionId;
use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message;
use openclaw_worker::state::ClosedBy;

use super::agenda::{ProcId, Step};
use super::verdict::{Checked, broken};
use super::world::World;

/// Messages under way in one direction after which a writer waits.
const WINDOW: usize = 64;
/// More than this under way would be a queue without a bound.
const UNDER_WAY_MOST: usize = 4_096;
/// Longest time that TCP takes to try again once a partition is over, in milliseconds.
const RETRANSMIT_MS: u64 = 3_000;

/// One end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Worker,
    Coordinator,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Worker => Self::Coordinator,
            Self::Coordinator => Self::Worker,
        }
    }
}

/// Names one stream of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) u32);

/// What travels.
#[derive(Debug, Clone)]
pub(crate) enum Parcel {
    /// From a worker.
    Up(Box<v1::ConnectRequest>),
    /// To a worker.
    Down(Box<Message>),
    /// The sender has ended the stream.
    End(ClosedBy),
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Pipe {
    under_way: VecDeque<(u64, Parcel)>,
    last: u64,
    /// Nothing arrives before.
    hold: u64,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) proc: ProcId,
    pub(crate) machine: usize,
    /// The coordinator's number of it, once Hello was read.
    pub(crate) session: Option<SessionId>,
    worker_open: bool,
    coordinator_open: bool,
    /// To the worker, to the coordinator.
    pipes: [Pipe; 2],
    /// True time at which Hello was composed.
    pub(crate) hello_at: u64,
    /// True times at which heartbeats were composed, by number.
    pub(crate) beats: VecDeque<(u64, u64)>,
    /// True time of the youngest sign of life that was acknowledged.
    pub(crate) vouched: Option<u64>,
}

impl Conn {
    pub(crate) fn new(proc: ProcId, machine: usize, now: u64) -> Self {
        Self {
            proc,
            machine,
            session: None,
            worker_open: true,
            coordinator_open: true,
            pipes: [Pipe::default(), Pipe::default()],
            hello_at: now,
            beats: VecDeque::new(),
            vouched: None,
        }
    }

    pub(crate) fn open_at(&self, side: Side) -> bool {
        match side {
            Side::Worker => self.worker_open,
            Side::Coordinator => self.coordinator_open,
        }
    }

    fn shut(&mut self, side: Side) {
        match side {
            Side::Worker => self.worker_open = false,
            Side::Coordinator => self.coordinator_open = false,
        }
    }

    /// What travels to this side.
    fn pipe(&mut self, to: Side) -> &mut Pipe {
        match to {
            Side::Worker => &mut self.pipes[0],
            Side::Coordinator => &mut self.pipes[1],
        }
    }

    /// The worker's writer may go on.
    pub(crate) fn has_room(&self) -> bool {
        self.pipes[1].under_way.len() < WINDOW
    }
}

impl World {
    /// Sends something to the other side.
    pub(crate) fn send(&mut self, conn: ConnId, to: Side, parcel: Parcel) -> Checked {
        let delay = self.latency(conn);
        let now = self.now;
        let Some(stream) = self.conns.get_mut(&conn) else {
            return Ok(());
        };
        let pipe = stream.pipe(to);
        let at = (now + delay).max(pipe.last).max(pipe.hold);
        pipe.last = at;
        pipe.under_way.push_back((at, parcel));
        if pipe.under_way.len() > UNDER_WAY_MOST {
            return broken(
                "bounds",
                format!("more than {UNDER_WAY_MOST} messages under way on one stream"),
            );
        }
        self.agenda.push(at, &mut self.rng, Step::Deliver(conn, to));
        Ok(())
    }

    fn latency(&mut self, conn: ConnId) -> u64 {
        let machine = self.conns.get(&conn).map_or(0, |stream| stream.machine);
        let base = self.machines[machine].latency;
        if self.rng.percent(self.chaos.spikes) {
            self.rng.between(base, 4_000)
        } else {
            self.rng.between(base / 2, base + base / 2 + 1)
        }
    }

    /// Until when nothing gets through to this side of the machine's streams.
    pub(crate) fn blocked(&self, machine: usize, to: Side) -> Option<u64> {
        let blocked = self.machines[machine].blocked;
        let until = match to {
            Side::Worker => blocked.0,
            Side::Coordinator => blocked.1,
        };
        (until > self.now).then_some(until)
    }

    /// Something may have arrived.
    pub(crate) fn deliver(&mut self, conn: ConnId, to: Side) -> Checked {
        let Some(machine) = self.conns.get(&conn).map(|stream| stream.machine) else {
            return Ok(());
        };
        let blocked = self.blocked(machine, to);
        let retransmit = self.rng.between(0, RETRANSMIT_MS);
        let now = self.now;
        let heard = self.bugged(super::bug::Bug::OldStreamHeard) && to == Side::Worker;
        let Some(stream) = self.conns.get_mut(&conn) else {
            return Ok(());
        };
        let pipe = stream.pipe(to);
        if let Some(until) = blocked {
            pipe.hold = pipe.hold.max(until + retransmit);
        }
        let Some((at, _)) = pipe.under_way.front() else {
            return Ok(());
        };
        let due = (*at).max(pipe.hold);
        if due > now {
            self.agenda
                .push(due, &mut self.rng, Step::Deliver(conn, to));
            return Ok(());
        }
        let Some((_, parcel)) = pipe.under_way.pop_front() else {
            return Ok(());
        };
        let open = stream.open_at(to);
        let listens = open || heard && matches!(parcel, Parcel::Down(_));
        if !listens {
            {
                self.reset(conn, to.other());
                return Ok(());
            }
        }
        match to {
            Side::Worker => self.worker_hears(conn, parcel),
            Side::Coordinator => self.coordinator_hears(conn, parcel),
        }
    }

    /// What travels to this side arrives only after so long.
    pub(crate) fn hold_up(&mut self, conn: ConnId, to: Side, span: u64) {
        if let Some(stream) = self.conns.get_mut(&conn) {
            let pipe = stream.pipe(to);
            pipe.hold = pipe.hold.max(self.now + span);
        }
    }

    /// What was sent to a side that has ended the stream is answered with a reset.
    fn reset(&mut self, conn: ConnId, to: Side) {
        let Some(stream) = self.conns.get(&conn) else {
            return;
        };
        if !stream.open_at(to) {
            return;
        }
        let machine = stream.machine;
        let at = self.blocked(machine, to).unwrap_or(self.now) + self.latency(conn);
        self.agenda.push(at, &mut self.rng, Step::Break(conn, to));
    }

    /// This side ends the stream: what it had sent may arrive, all of it or a beginning, and then the end.
    pub(crate) fn hang_up(&mut self, conn: ConnId, side: Side, by: ClosedBy) -> Checked {
        let lossy = self.chaos.lossy_ends;
        let Some(stream) = self.conns.get_mut(&conn) else {
            return Ok(());
        };
        if !stream.open_at(side) {
            return Ok(());
        }
        stream.shut(side);
        let silent = lossy && self.rng.percent(10);
        if lossy && self.rng.percent(30) {
            self.lose_suffix(conn, side.other());
        }
        if silent {
            {
                self.notice_later(conn, side.other());
                return Ok(());
            }
        }
        self.send(conn, side.other(), Parcel::End(by))
    }

    /// An end that nobody chose: the process is gone. With `silence` not even its machine tells the other side.
    pub(crate) fn vanish(&mut self, conn: ConnId, side: Side, silence: bool) -> Checked {
        let Some(stream) = self.conns.get_mut(&conn) else {
            return Ok(());
        };
        if !stream.open_at(side) {
            return Ok(());
        }
        stream.shut(side);
        self.lose_suffix(conn, side.other());
        if silence {
            {
                self.notice_later(conn, side.other());
                return Ok(());
            }
        }
        self.send(conn, side.other(), Parcel::End(ClosedBy::Failure))
    }

    /// The last of what is under way is lost.
    fn lose_suffix(&mut self, conn: ConnId, to: Side) {
        if let Some(stream) = self.conns.get_mut(&conn) {
            let pipe = stream.pipe(to);
            let kept = self.rng.below(pipe.under_way.len() + 1);
            pipe.under_way.truncate(kept);
        }
    }

    /// Pings without an answer end a stream after a while, unless something on the way goes on answering them.
    pub(crate) fn notice_later(&mut self, conn: ConnId, side: Side) {
        if self.rng.percent(self.chaos.half_open) {
            return;
        }
        let at = self.now + self.rng.between(10_000, 25_000);
        self.agenda.push(at, &mut self.rng, Step::Break(conn, side));
    }

    /// This side notices that the stream is dead.
    pub(crate) fn break_off(&mut self, conn: ConnId, side: Side) -> Checked {
        let Some(stream) = self.conns.get(&conn).filter(|stream| stream.open_at(side)) else {
            return Ok(());
        };
        let (proc, session) = (stream.proc, stream.session);
        self.trace(format_args!("{conn:?} breaks for {side:?}"));
        match side {
            Side::Worker => self.worker_stream_ended(proc, conn, ClosedBy::Failure),
            Side::Coordinator => {
                self.hang_up(conn, side, ClosedBy::Failure)?;
                self.session_ended(session)
            }
        }
    }

    /// Streams of a machine that have not ended at this side.
    pub(crate) fn streams_of(&self, machine: usize) -> Vec<ConnId> {
        self.conns
            .iter()
            .filter(|(_, stream)| {
                stream.machine == machine && (stream.worker_open || stream.coordinator_open)
            })
            .map(|(conn, _)| *conn)
            .collect()
    }

    /// Forgets streams that have ended at both sides with nothing under way.
    pub(crate) fn sweep_streams(&mut self) {
        self.conns.retain(|_, stream| {
            stream.worker_open
                || stream.coordinator_open
                || stream.pipes.iter().any(|pipe| !pipe.under_way.is_empty())
        });
    }
}
