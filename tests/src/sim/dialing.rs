//! A worker's way to the coordinator: dialing, giving up, letting go.

use openclaw_proto::v1;
use openclaw_worker::convert;
use openclaw_worker::state::{Closed, ClosedBy, Event};

use super::agenda::{ProcId, Step};
use super::net::{Conn, ConnId, Parcel, Side};
use super::verdict::Checked;
use super::worker::Process;
use super::world::World;

/// How long a dial waits for its Welcome.
const WELCOME_MS: u64 = 10_000;

impl World {
    pub(crate) fn dial(&mut self, id: ProcId) {
        let Some(proc) = self.procs.get_mut(&id) else {
            return;
        };
        proc.dial += 1;
        let (dial, machine) = (proc.dial, proc.machine);
        let latency = self.machines[machine].latency;
        let at = self.now + self.rng.between(latency, 3 * latency);
        self.agenda.push(at, &mut self.rng, Step::Connect(id, dial));
        let late = self.now + WELCOME_MS;
        self.agenda
            .push(late, &mut self.rng, Step::DialTimeout(id, dial));
    }

    /// The dial reaches the coordinator: Hello is composed now.
    pub(crate) fn connect(&mut self, id: ProcId, dial: u64) -> Checked {
        self.read_clocks(id, false)?;
        let Some(proc) = self.procs.get(&id).filter(|proc| proc.dial == dial) else {
            return Ok(());
        };
        let machine = proc.machine;
        if self.blocked(machine, Side::Worker).is_some()
            || self.blocked(machine, Side::Coordinator).is_some()
        {
            return Ok(());
        }
        if !self.coordinator.up {
            return self.dial_failed(id, "connection refused");
        }
        self.conns_made += 1;
        let conn = ConnId(self.conns_made);
        self.conns.insert(conn, Conn::new(id, machine, self.now));
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        proc.conn = Some(conn);
        let now = self.machines[machine].clock.now(self.now, proc.origin);
        let part = proc.state.compose_hello(now);
        let host = &self.machines[machine];
        let hello = convert::hello(
            &part,
            &host.about(&proc.id),
            v1::NodeLoad::default(),
            host.inventory(),
        );
        self.send(conn, Side::Coordinator, Parcel::Up(Box::new(hello)))
    }

    /// A dial without a Welcome is given up.
    pub(crate) fn dial_timeout(&mut self, id: ProcId, dial: u64) -> Checked {
        self.read_clocks(id, false)?;
        let waits = |proc: &Process| proc.dial == dial && !proc.state.is_open();
        if !self.procs.get(&id).is_some_and(waits) {
            return Ok(());
        }
        self.dial_failed(id, "no welcome")
    }

    pub(crate) fn dial_failed(&mut self, id: ProcId, why: &str) -> Checked {
        self.drop_stream(id)?;
        self.tell(id, closed(ClosedBy::Failure, why))
    }

    /// Drops the stream, or the dial under way.
    pub(crate) fn drop_stream(&mut self, id: ProcId) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        proc.dial += 1;
        match proc.conn.take() {
            Some(conn) => self.hang_up(conn, Side::Worker, ClosedBy::Failure),
            None => Ok(()),
        }
    }

    /// The worker's end of a stream has ended.
    pub(crate) fn worker_stream_ended(
        &mut self,
        id: ProcId,
        conn: ConnId,
        by: ClosedBy,
    ) -> Checked {
        self.read_clocks(id, false)?;
        if self.procs.get(&id).and_then(|proc| proc.conn) != Some(conn) {
            return Ok(());
        }
        self.drop_stream(id)?;
        self.tell(id, closed(by, "the stream ended"))
    }
}

fn closed(by: ClosedBy, detail: &str) -> Event {
    Event::Closed(Closed {
        by,
        detail: detail.to_owned(),
    })
}
