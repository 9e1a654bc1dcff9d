//! A worker's process as it is simulated: the real state between a shell of its own.
//!
//! The shell looks at the clocks before it handles anything, drops an old stream before it dials, composes messages
//! when the stream can take them, and carries out effects in the order of their fields.

use std::collections::BTreeMap;

use openclaw_common::id::LeaseId;
use openclaw_common::time::Now;
use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message as Down;
use openclaw_worker::convert;
use openclaw_worker::state::{
    Closed, ClosedBy, Effects, Event, Exit, Finished, Message, Options, State,
};

use super::agenda::{ProcId, Step};
use super::bug::Bug;
use super::executor::Program;
use super::net::{Conn, ConnId, Parcel, Side};
use super::verdict::{Checked, broken};
use super::world::World;

/// What the two clocks may disagree by before the machine must have slept.
const TOLERANCE_MS: u64 = 5_000;
/// How long a dial waits for its Welcome.
const WELCOME_MS: u64 = 10_000;
/// Heartbeats whose time is remembered.
const BEATS: usize = 64;
/// Attempts that a worker may hold beyond twice its room, as the state promises.
const HELD_SLACK: usize = 64;

/// A worker's process.
pub(crate) struct Process {
    pub(crate) machine: usize,
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) conn: Option<ConnId>,
    /// Counts dials; what is on the agenda for an earlier one is void.
    dial: u64,
    pub(crate) programs: BTreeMap<LeaseId, Program>,
    /// What the machine had been awake for when it began.
    origin: u64,
    last: Now,
    tick_at: Option<u64>,
    pumping: bool,
    /// Results being written to disk.
    pub(crate) writing: BTreeMap<LeaseId, v1::TaskResult>,
    pub(crate) stopping: bool,
}

impl World {
    /// What a process reads from the clocks.
    pub(crate) fn worker_now(&self, proc: &Process) -> Now {
        self.machines[proc.machine].clock.now(self.now, proc.origin)
    }

    /// A worker process starts: it ends what its former self left running, then reads its disk, then dials.
    pub(crate) fn boot(&mut self, machine: usize) -> Checked {
        if self.machines[machine].proc.is_some() || self.machines[machine].retired {
            return Ok(());
        }
        self.procs_started += 1;
        let id = ProcId(self.procs_started);
        let host = &mut self.machines[machine];
        host.starts += 1;
        host.proc = Some(id);
        let process_id = format!("{}-{}", host.name, host.starts);
        if self.bug != Some(Bug::LeftoversSpared) {
            self.machines[machine].leftovers.clear();
        }
        let host = &self.machines[machine];
        let origin = host.clock.awake(self.now);
        let last = host.clock.now(self.now, origin);
        let options = Options {
            seed: self.rng.bits(),
            pools: host.pools.clone(),
            prefetch: host.prefetch,
            drain_timeout_ms: 30_000,
            remembered: host.dir.remembered,
        };
        let found: Vec<Finished> = host
            .dir
            .spool
            .values()
            .cloned()
            .filter_map(|row| row.try_into().ok())
            .collect();
        if found.len() != host.dir.spool.len() {
            return broken("spool", "a result on disk cannot be read");
        }
        self.trace(format_args!(
            "{process_id} starts, {} results on disk",
            found.len()
        ));
        self.procs.insert(
            id,
            Process {
                machine,
                id: process_id,
                state: State::new(options),
                conn: None,
                dial: 0,
                programs: BTreeMap::new(),
                origin,
                last,
                tick_at: None,
                pumping: false,
                writing: BTreeMap::new(),
                stopping: false,
            },
        );
        if !self.bugged(Bug::SpoolIgnored) {
            self.tell(id, Event::SpoolLoaded(found))?;
        }
        self.tell(id, Event::Tick)
    }

    /// The process is gone, as by `kill -9`; with `silence` its machine is gone too.
    pub(crate) fn kill_worker(&mut self, id: ProcId, silence: bool) -> Checked {
        let Some(proc) = self.procs.remove(&id) else {
            return Ok(());
        };
        self.trace(format_args!("{} dies", proc.id));
        let host = &mut self.machines[proc.machine];
        host.proc = None;
        if !silence {
            // Programs go on until somebody ends them.
            let left = proc
                .programs
                .iter()
                .map(|(lease, program)| (*lease, program.task, program.ends));
            host.leftovers.extend(left);
        }
        for conn in self.streams_of(proc.machine) {
            self.vanish(conn, Side::Worker, silence)?;
        }
        Ok(())
    }

    /// Something happens to a worker.
    pub(crate) fn tell(&mut self, id: ProcId, event: Event) -> Checked {
        self.read_clocks(id, event == Event::Tick)?;
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let now = self.worker_now(proc);
        self.handle(id, now, event)
    }

    /// Before anything else a worker sees whether its machine has slept; that may end the stream which the next
    /// message is of, or the dial which the next step is of.
    fn read_clocks(&mut self, id: ProcId, tick: bool) -> Checked {
        let late = self.bugged(Bug::SleepNoticedLate) && !tick;
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let now = self.worker_now(proc);
        let gap = slept(proc.last, now);
        if late && gap.is_some() {
            return Ok(());
        }
        if let Some(proc) = self.procs.get_mut(&id) {
            proc.last = now;
        }
        match gap {
            Some(gap_ms) => {
                let who = self.shown_proc(id);
                self.trace(format_args!("{who} slept {gap_ms} ms"));
                self.handle(id, now, Event::Resumed { gap_ms })
            }
            None => Ok(()),
        }
    }

    fn handle(&mut self, id: ProcId, now: Now, event: Event) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let mut fx = Effects::new();
        proc.state.handle(now, event, &mut fx);
        if let Err(why) = proc.state.check() {
            return broken("worker", format!("{}: {why}", proc.id));
        }
        self.check_held(id)?;
        self.carry_out_worker(id, fx)?;
        self.after(id)
    }

    /// A worker's queue has a bound.
    fn check_held(&self, id: ProcId) -> Checked {
        let proc = &self.procs[&id];
        let host = &self.machines[proc.machine];
        let room = usize::try_from(host.pools.slots_milli / 500 + host.prefetch).unwrap_or(0);
        let queued = proc
            .state
            .held()
            .iter()
            .filter(|held| held.state == openclaw_worker::state::LeaseState::Queued)
            .count();
        if queued > 2 * room + HELD_SLACK {
            return broken(
                "bounds",
                format!("{} has queued {queued} attempts", proc.id),
            );
        }
        Ok(())
    }

    fn carry_out_worker(&mut self, id: ProcId, fx: Effects) -> Checked {
        if fx.close {
            self.drop_stream(id)?;
        }
        for job in fx.starts {
            self.start_program(id, job)?;
        }
        for kill in fx.kills {
            self.end_program(id, kill)?;
        }
        for finished in fx.spool_writes {
            self.write_result(id, &finished)?;
        }
        let Some(machine) = self.procs.get(&id).map(|proc| proc.machine) else {
            return Ok(());
        };
        for lease in fx.spool_removals {
            self.machines[machine].dir.spool.remove(&lease);
            if let Some(proc) = self.procs.get_mut(&id) {
                proc.writing.remove(&lease);
            }
        }
        if fx.spool_aside.is_some() {
            return broken(
                "identity",
                "there is only one cluster, and a worker saw another",
            );
        }
        if fx.remember.is_some() {
            self.machines[machine].dir.remembered = fx.remember;
        }
        if fx.connect {
            self.dial(id)?;
        }
        match fx.exit {
            Some(exit) => self.exit(id, exit),
            None => Ok(()),
        }
    }

    /// The process ends by itself.
    fn exit(&mut self, id: ProcId, exit: Exit) -> Checked {
        let Some(proc) = self.procs.get(&id) else {
            return Ok(());
        };
        let machine = proc.machine;
        self.trace(format_args!("{id:?} exits: {exit:?}"));
        if exit != Exit::Stopped {
            let host = &mut self.machines[machine];
            host.retired = true;
            let rival = self
                .machines
                .iter()
                .filter(|other| other.dir.uid == self.machines[machine].dir.uid)
                .count();
            if rival < 2 {
                return broken(
                    "identity",
                    format!(
                        "{} was sent away for good without a rival",
                        self.machines[machine].name
                    ),
                );
            }
        }
        self.kill_worker(id, false)?;
        let at = self.now + self.rng.between(1_000, 60_000);
        self.agenda.push(at, &mut self.rng, Step::Boot(machine));
        Ok(())
    }

    /// Arms the worker's timer and its writer.
    fn after(&mut self, id: ProcId) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        let now = self.machines[proc.machine].clock.now(self.now, proc.origin);
        if let Some(due) = proc.state.next_deadline() {
            let at = self.now + due.since(now.mono).max(1);
            if proc.tick_at.is_none_or(|set| at < set || set <= self.now) {
                proc.tick_at = Some(at);
                self.agenda.push(at, &mut self.rng, Step::Tick(id));
            }
        }
        let proc = &self.procs[&id];
        if proc.state.has_output() && !proc.pumping {
            self.pump_by(id, 3)?;
        }
        Ok(())
    }

    fn pump_by(&mut self, id: ProcId, within: u64) -> Checked {
        if let Some(proc) = self.procs.get_mut(&id) {
            proc.pumping = true;
        }
        let at = self.now + self.rng.between(0, within);
        self.agenda.push(at, &mut self.rng, Step::Pump(id));
        Ok(())
    }

    /// The worker's timer.
    pub(crate) fn tick(&mut self, id: ProcId) -> Checked {
        if let Some(proc) = self.procs.get_mut(&id)
            && proc.tick_at.is_some_and(|at| at <= self.now)
        {
            proc.tick_at = None;
        }
        self.tell(id, Event::Tick)
    }

    fn dial(&mut self, id: ProcId) -> Checked {
        let Some(proc) = self.procs.get_mut(&id) else {
            return Ok(());
        };
        proc.dial += 1;
        let (dial, machine) = (proc.dial, proc.machine);
        let latency = self.machines[machine].latency;
        let at = self.now + self.rng.between(latency, 3 * latency);
        self.agenda.push(at, &mut self.rng, Step::Connect(id, dial));
        let late = self.now + WELCOME_MS;
        self.agenda
            .push(late, &mut self.rng, Step::DialTimeout(id, dial));
        Ok(())
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
        let waits = |proc: &&Process| proc.dial == dial && !proc.state.is_open();
        if self.procs.get(&id).filter(waits).is_none() {
            return Ok(());
        }
        self.dial_failed(id, "no welcome")
    }

    fn dial_failed(&mut self, id: ProcId, why: &str) -> Checked {
        self.drop_stream(id)?;
        self.tell(id, closed(ClosedBy::Failure, why))
    }

    /// Drops the stream, or the dial under way.
    fn drop_stream(&mut self, id: ProcId) -> Checked {
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
                    self.check_cancels(id, composed)?;
                }
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

    pub(crate) fn shown_proc(&self, id: ProcId) -> String {
        self.procs
            .get(&id)
            .map_or_else(|| format!("{id:?}"), |proc| proc.id.clone())
    }

    /// Remembers by the true time what the coordinator has acknowledged; gives the time when that was composed.
    fn vouch(&mut self, conn: ConnId, message: &Down) -> Option<u64> {
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
                return self.after(id);
            };
            self.say(id, conn, message)?;
        }
        self.pump_by(id, 1_000)
    }

    fn say(&mut self, id: ProcId, conn: ConnId, message: Message) -> Checked {
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

fn closed(by: ClosedBy, detail: &str) -> Event {
    Event::Closed(Closed {
        by,
        detail: detail.to_owned(),
    })
}

/// By how much the clocks disagree about the time since the last look, when it is too much.
fn slept(last: Now, now: Now) -> Option<u64> {
    let mono = now.mono.since(last.mono);
    let ahead = now.wall.since(last.wall);
    let back = last.wall.since(now.wall);
    let apart = if back > 0 {
        mono + back
    } else {
        mono.abs_diff(ahead)
    };
    (apart > TOLERANCE_MS).then(|| apart.max(mono))
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
