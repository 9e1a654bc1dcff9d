//! A core with a clock that the test moves, workers that the test speaks for, and a store that keeps every write.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{ClusterId, LeaseId, SessionId, TaskId};
use openclaw_common::status::{Outcome, Priority, TaskStatus, TaskType};
use openclaw_common::time::{Mono, Now, Wall};
use openclaw_core::Core;
use openclaw_core::effect::{
    Accepted, Close, Effects, Notice, Offer, Refusal, Reply, Send, TaskState, Verdict, Welcome,
};
use openclaw_core::event::{Event, Query, ReplyId, SessionEvent};
use openclaw_core::model::{
    AttemptResult, Executor, Facts, Heartbeat, Held, HeldState, Hello, Inventory, Load, NewTask,
    Policy, Pools, Principal, Requirements, Role, Skill,
};
use openclaw_core::record::{
    BatchId, FinalRow, KeyRow, Loaded, NodeRow, OfferRow, StateRow, SubmitRow, Write,
};
use openclaw_core::settings::Settings;
use openclaw_core::view::{Explanation, LiveTask, NodeView};

/// What every write has left.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) submits: BTreeMap<TaskId, SubmitRow>,
    pub(crate) offers: BTreeMap<BatchId, OfferRow>,
    pub(crate) states: BTreeMap<TaskId, StateRow>,
    pub(crate) finals: BTreeMap<TaskId, FinalRow>,
    pub(crate) nodes: BTreeMap<Arc<str>, NodeRow>,
}

impl Disk {
    fn apply(&mut self, write: Write) {
        match write {
            Write::Submit(row) => assert!(
                self.submits.insert(row.task.id, *row).is_none(),
                "accepted twice"
            ),
            Write::Offer(row) => assert!(
                self.offers.insert(row.id, row).is_none(),
                "one row of offers twice"
            ),
            Write::OfferDone(id) => assert!(
                self.offers.remove(&id).is_some(),
                "no such row of offers: {id:?}"
            ),
            Write::State(row) => {
                self.states.insert(row.id, *row);
            }
            Write::Final(row) => {
                assert_eq!(
                    self.states.remove(&row.id).is_some(),
                    row.had_state,
                    "{}: had_state",
                    row.id
                );
                assert!(self.finals.insert(row.id, *row).is_none(), "final twice");
            }
            Write::Node(row) => {
                self.nodes.insert(Arc::clone(&row.name), *row);
            }
        }
    }

    fn load(&self, epoch: u64) -> Loaded {
        let mut tasks: Vec<SubmitRow> = self
            .submits
            .values()
            .filter(|row| !self.finals.contains_key(&row.task.id))
            .cloned()
            .collect();
        tasks.sort_by_key(|row| row.seq);
        let keys = self.submits.values().filter_map(|row| {
            Some(KeyRow {
                user: Arc::clone(&row.task.user),
                key: row.task.key.clone()?,
                task: row.task.id,
                body_hash: row.task.body_hash,
            })
        });
        Loaded {
            cluster_id: ClusterId(7),
            epoch,
            last_seq: self.submits.values().map(|row| row.seq).max().unwrap_or(0),
            tasks,
            states: self.states.values().cloned().collect(),
            offers: self.offers.values().cloned().collect(),
            keys: keys.collect(),
            nodes: self.nodes.values().cloned().collect(),
        }
    }
}

/// A core and everything round it.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) settings: Settings,
    pub(crate) now: Now,
    pub(crate) disk: Disk,
    pub(crate) sends: Vec<(SessionId, Send)>,
    pub(crate) closes: Vec<(SessionId, Close)>,
    pub(crate) notices: Vec<Notice>,
    replies: BTreeMap<ReplyId, Reply>,
    next_reply: u64,
    next_task: u128,
    next_session: u64,
    epoch: u64,
}

/// A worker as the test plays it.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) name: &'static str,
    pub(crate) session: SessionId,
    pub(crate) hello: Hello,
    pub(crate) seq: u64,
}

pub(crate) fn world() -> World {
    world_with(Settings::default())
}

pub(crate) fn world_with(settings: Settings) -> World {
    let now = Now {
        mono: Mono(1_000),
        wall: Wall(1_700_000_000_000),
    };
    World {
        core: Core::restore(settings.clone(), Disk::default().load(1), now, 99),
        settings,
        now,
        disk: Disk::default(),
        sends: Vec::new(),
        closes: Vec::new(),
        notices: Vec::new(),
        replies: BTreeMap::new(),
        next_reply: 0,
        next_task: 0,
        next_session: 0,
        epoch: 1,
    }
}

pub(crate) fn principal() -> Principal {
    Principal {
        user: "ann".into(),
        role: Role::Admin,
    }
}

pub(crate) fn skill(name: &str) -> Skill {
    Skill {
        name: name.into(),
        version: "1.2".into(),
        category: "".into(),
        description: "".into(),
        tags: Vec::new(),
        content_hash: "".into(),
        executor: Executor::Builtin,
        input_schema: "".into(),
        output_schema: "".into(),
        dependencies: Vec::new(),
        eligible: true,
        reasons: Vec::new(),
        costs_money: false,
    }
}

/// A worker with these skills and slots.
pub(crate) fn worker(name: &'static str, skills: &[&str], slots: u64) -> Hello {
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        build: "0.1.0".into(),
        cluster_id: None,
        uid: format!("uid-{name}").into(),
        secret_hash: [7; 32],
        name: name.into(),
        name_explicit: true,
        boot_id: "boot".into(),
        process_id: format!("{name}-process-1").into(),
        pid: 10,
        facts: Facts {
            hostname: name.into(),
            ..Facts::default()
        },
        load: Load::default(),
        inventory: Inventory {
            skills: skills
                .iter()
                .map(|name| ((*name).into(), skill(name)))
                .collect(),
            tags: Vec::new(),
            pools: Pools {
                slots_milli: slots * 1_000,
                cpu_milli: 4_000,
                memory_bytes: 1 << 30,
                ..Pools::default()
            },
            prefetch: 0,
            allow_commands: false,
        },
        held: Vec::new(),
        heartbeat_ms: 5_000,
        stream: 0,
    }
}

/// A task that runs this skill.
pub(crate) fn task(skill: &str) -> NewTask {
    NewTask {
        id: TaskId(0),
        id_given: false,
        user: "ann".into(),
        key: None,
        body_hash: 1,
        requirements: Requirements {
            skill: Some(skill.into()),
            skills: vec![skill.parse().unwrap()],
            demand: Pools {
                slots_milli: 1_000,
                ..Pools::default()
            },
            ..Requirements::default()
        },
        policy: Policy::default(),
        priority: Priority::Normal,
        kind: TaskType::Batch,
        not_before: None,
        batch: None,
        parent: None,
        spec: Bytes::from_static(b"spec"),
    }
}

pub(crate) fn held(lease: LeaseId, state: HeldState) -> Held {
    Held { lease, state }
}

impl World {
    /// One event, a turn of the core, and a look at every index.
    pub(crate) fn event(&mut self, event: Event) {
        let mut fx = Effects::default();
        self.core.handle(self.now, event, &mut fx);
        self.core.advance(self.now, &mut fx);
        self.carry_out(fx);
    }

    fn carry_out(&mut self, fx: Effects) {
        for write in fx.writes {
            self.disk.apply(write);
        }
        self.replies.extend(fx.replies);
        let asks = fx.asks.into_iter();
        self.sends
            .extend(asks.map(|(session, nonce)| (session, Send::Ping { nonce })));
        self.sends.extend(fx.sends);
        self.closes.extend(fx.closes);
        self.notices.extend(fx.notices);
        if let Err(words) = self.core.sanity_check() {
            panic!("{words}");
        }
    }

    /// Time passes; every deadline on the way is met at its moment.
    pub(crate) fn pass(&mut self, span_ms: u64) {
        let end = self.now.mono.plus(span_ms);
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= end) {
            self.step_to(due.max(self.now.mono));
            let mut fx = Effects::default();
            self.core.advance(self.now, &mut fx);
            self.carry_out(fx);
        }
        self.step_to(end);
    }

    /// Time passes while a worker goes on sending heartbeats that list nothing.
    pub(crate) fn pass_with(&mut self, alive: &Worker, span_ms: u64) {
        let mut left = span_ms;
        while left > 0 {
            let step = left.min(5_000);
            self.pass(step);
            self.say(alive, SessionEvent::Heartbeat(Heartbeat::default()));
            left -= step;
        }
    }

    fn step_to(&mut self, mono: Mono) {
        self.now.wall = self.now.wall.plus(mono.since(self.now.mono));
        self.now.mono = mono;
    }

    fn ask(&mut self, make: impl FnOnce(ReplyId) -> Event) -> Reply {
        self.next_reply += 1;
        let reply = ReplyId(self.next_reply);
        self.event(make(reply));
        self.replies.remove(&reply).expect("an answer")
    }

    /// Submits tasks in one request; tasks without an id get one.
    pub(crate) fn submit_all(&mut self, mut tasks: Vec<NewTask>) -> Result<Vec<Accepted>, Refusal> {
        for task in &mut tasks {
            if task.id == TaskId(0) {
                self.next_task += 1;
                task.id = TaskId(self.next_task);
            }
        }
        match self.ask(|reply| Event::Submit {
            principal: principal(),
            tasks,
            reply,
        }) {
            Reply::Submitted(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn submit(&mut self, task: NewTask) -> TaskId {
        self.submit_all(vec![task]).unwrap()[0].id
    }

    pub(crate) fn cancel_as(
        &mut self,
        principal: Principal,
        task: TaskId,
    ) -> Result<TaskState, Refusal> {
        match self.ask(|reply| Event::Cancel {
            principal,
            task,
            reason: "enough".into(),
            reply,
        }) {
            Reply::Cancelled(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn cancel(&mut self, task: TaskId) -> TaskState {
        self.cancel_as(principal(), task).unwrap()
    }

    pub(crate) fn query(&mut self, query: Query) -> Reply {
        self.ask(|reply| Event::Query { query, reply })
    }

    pub(crate) fn live(&mut self, id: TaskId) -> LiveTask {
        match self.query(Query::Task(id)) {
            Reply::Task(Some(task)) => *task,
            other => panic!("{id} is not live: {other:?}"),
        }
    }

    pub(crate) fn explain(&mut self, id: TaskId) -> Explanation {
        match self.query(Query::Explain(id)) {
            Reply::Explained(Some(explanation)) => *explanation,
            other => panic!("{other:?}"),
        }
    }

    /// A live task's state, or the final one.
    pub(crate) fn status(&mut self, id: TaskId) -> TaskStatus {
        match self.disk.finals.get(&id) {
            Some(row) => row.status,
            None => self.live(id).state.status,
        }
    }

    pub(crate) fn code(&mut self, id: TaskId) -> ReasonCode {
        match self.disk.finals.get(&id) {
            Some(row) => row.code,
            None => self.live(id).state.code,
        }
    }

    pub(crate) fn finished(&self, id: TaskId) -> &FinalRow {
        self.disk.finals.get(&id).expect("a final record")
    }

    /// Opens a stream with this Hello.
    pub(crate) fn open(&mut self, hello: Hello) -> SessionId {
        self.next_session += 1;
        let session = SessionId(self.next_session);
        let event = SessionEvent::Opened(Box::new(hello));
        self.event(Event::Session { session, event });
        session
    }

    /// A worker joins and is welcome.
    pub(crate) fn join(&mut self, hello: Hello) -> Worker {
        let name = Box::leak(hello.name.clone());
        let session = self.open(hello.clone());
        let worker = Worker {
            name,
            session,
            hello,
            seq: 0,
        };
        assert!(
            self.welcome(session).is_some(),
            "not welcome: {:?}",
            self.closes
        );
        worker
    }

    pub(crate) fn say(&mut self, worker: &Worker, event: SessionEvent) {
        self.event(Event::Session {
            session: worker.session,
            event,
        });
    }

    pub(crate) fn disconnect(&mut self, worker: &Worker) {
        self.say(worker, SessionEvent::Closed);
    }

    /// The same process comes back with what it holds.
    pub(crate) fn reconnect(
        &mut self,
        worker: &mut Worker,
        holds: &[Held],
    ) -> Vec<(LeaseId, Verdict)> {
        let hello = Hello {
            held: holds.to_vec(),
            ..worker.hello.clone()
        };
        worker.session = self.open(hello);
        self.welcome(worker.session).expect("welcome").verdicts
    }

    pub(crate) fn heartbeat(
        &mut self,
        worker: &mut Worker,
        seen_offer_seq: u64,
        holds: &[Held],
    ) -> Vec<(LeaseId, Verdict)> {
        worker.seq += 1;
        self.sends.clear();
        let heartbeat = Heartbeat {
            seq: worker.seq,
            seen_offer_seq,
            held: holds.to_vec(),
            ..Heartbeat::default()
        };
        self.say(worker, SessionEvent::Heartbeat(heartbeat));
        let acked = self.sends.iter().any(|(to, send)| {
            *to == worker.session && *send == Send::HeartbeatAck { seq: worker.seq }
        });
        assert!(acked, "no answer to the heartbeat");
        let verdicts = self.sends.iter().filter_map(|(to, send)| match send {
            Send::Verdicts(list) if *to == worker.session => Some(list.clone()),
            _ => None,
        });
        verdicts.flatten().collect()
    }

    pub(crate) fn welcome(&self, session: SessionId) -> Option<Welcome> {
        self.sends.iter().rev().find_map(|(to, send)| match send {
            Send::Welcome(welcome) if *to == session => Some((**welcome).clone()),
            _ => None,
        })
    }

    pub(crate) fn refusal(&self, session: SessionId) -> Refusal {
        let close = self.closes.iter().find(|(to, _)| *to == session);
        match close {
            Some((_, Close::Refused(refusal))) => refusal.clone(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Takes the offers that were sent to a worker since the last look.
    pub(crate) fn offers(&mut self, worker: &Worker) -> Vec<Offer> {
        let mut taken = Vec::new();
        self.sends.retain(|(to, send)| match send {
            Send::Offers { offers, .. } if *to == worker.session => {
                taken.extend(offers.iter().copied());
                false
            }
            _ => true,
        });
        taken
    }

    pub(crate) fn one_offer(&mut self, worker: &Worker) -> Offer {
        let offers = self.offers(worker);
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers[0]
    }

    pub(crate) fn start(&mut self, worker: &Worker, lease: LeaseId) {
        self.say(
            worker,
            SessionEvent::Updates {
                started: vec![lease],
                progress: Vec::new(),
            },
        );
    }

    pub(crate) fn end(&mut self, worker: &Worker, lease: LeaseId, outcome: Outcome) {
        self.end_with(worker, lease, outcome, None);
    }

    pub(crate) fn exit(&mut self, worker: &Worker, lease: LeaseId, code: i32) {
        self.end_with(worker, lease, Outcome::Exit, Some(code));
    }

    pub(crate) fn end_with(
        &mut self,
        worker: &Worker,
        lease: LeaseId,
        outcome: Outcome,
        exit_code: Option<i32>,
    ) {
        let message = if outcome == Outcome::Succeeded {
            ""
        } else {
            "it broke"
        };
        let result = AttemptResult {
            lease,
            outcome,
            exit_code,
            message: message.into(),
            run_ms: 20,
            payload: Bytes::from_static(b"payload"),
        };
        self.say(worker, SessionEvent::Results(vec![result]));
    }

    /// An attempt ends well after so many milliseconds.
    pub(crate) fn end_after(&mut self, worker: &Worker, lease: LeaseId, run_ms: u64) {
        let result = AttemptResult {
            lease,
            outcome: Outcome::Succeeded,
            exit_code: None,
            message: "".into(),
            run_ms,
            payload: Bytes::new(),
        };
        self.say(worker, SessionEvent::Results(vec![result]));
    }

    /// Leases acknowledged to a worker since the last look.
    pub(crate) fn acks(&mut self, worker: &Worker) -> Vec<LeaseId> {
        let mut taken = Vec::new();
        self.sends.retain(|(to, send)| match send {
            Send::ResultAcks(leases) if *to == worker.session => {
                taken.extend(leases.iter().copied());
                false
            }
            _ => true,
        });
        taken
    }

    pub(crate) fn node(&self, name: &str) -> NodeView {
        let view = self.core.view(self.now);
        view.nodes
            .into_iter()
            .find(|node| &*node.name == name)
            .expect("a known node")
    }

    /// The coordinator dies and starts again from what was written.
    pub(crate) fn restart(&mut self, away_ms: u64) {
        self.epoch += 1;
        self.now = Now {
            mono: Mono(500),
            wall: self.now.wall.plus(away_ms),
        };
        self.core = Core::restore(
            self.settings.clone(),
            self.disk.load(self.epoch),
            self.now,
            5,
        );
        self.sends.clear();
        self.closes.clear();
        self.carry_out(Effects::default());
    }
}
