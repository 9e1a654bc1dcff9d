//! A worker under test: events go in, what it does and says comes out in short.

use openclaw_common::id::{ClusterId, LeaseId, SessionId, TaskId};
use openclaw_common::status::Outcome;
use openclaw_common::time::{Mono, Now, Wall};

use crate::model::{Demand, Ended, Job, Spec};
use crate::state::{
    Closed, ClosedBy, Desired, Effects, Event, Exit, Finished, Held, LeaseState, Message, Offered,
    Options, Remembered, State, Verdict, VerdictAction, Welcome,
};

pub(super) const HOME: ClusterId = ClusterId(1);
pub(super) const OTHER: ClusterId = ClusterId(2);
pub(super) const INTERVAL: u64 = 5_000;
pub(super) const SUSPECT: u64 = 15_000;
pub(super) const LEASE: u64 = 90_000;
pub(super) const DRAIN: u64 = 30_000;

pub(super) fn lease(counter: u64) -> LeaseId {
    LeaseId { epoch: 7, counter }
}

pub(super) fn job(counter: u64, slots_milli: u32) -> Job {
    let spec = Spec {
        task_id: TaskId(u128::from(counter)),
        skill: "echo".to_owned(),
        command: Vec::new(),
        parameters: "{}".to_owned(),
        inputs: Vec::new(),
        env: [].into(),
        timeout: None,
        progress_timeout: None,
        keep_awake: false,
        demand: Demand {
            slots_milli,
            ..Demand::default()
        },
    };
    Job {
        lease: lease(counter),
        attempt: 1,
        spec,
    }
}

pub(super) fn outcome(outcome: Outcome) -> Ended {
    Ended {
        outcome,
        result: if outcome == Outcome::Succeeded {
            "1".to_owned()
        } else {
            String::new()
        },
        outputs: Vec::new(),
        failure: None,
        run_ms: 3,
        output: Vec::new(),
        stdout_bytes: 0,
        stderr_bytes: 0,
    }
}

pub(super) fn welcome(epoch: u64) -> Welcome {
    Welcome {
        protocol: 1,
        session_id: SessionId(1),
        cluster: HOME,
        cluster_name: "home".to_owned(),
        epoch,
        node_id: "mac".to_owned(),
        heartbeat_interval_ms: INTERVAL,
        suspect_after_ms: SUSPECT,
        lease_ms: LEASE,
        reconnect_spread_ms: 40,
        max_result_bytes: 0,
        max_output_bytes: 0,
        verdicts: Vec::new(),
        desired: Desired {
            generation: 1,
            ..Desired::default()
        },
        build: "test".to_owned(),
    }
}

/// A worker with two slots; its clocks move only when told to.
pub(super) struct Worker {
    pub(super) state: State,
    pub(super) now: Now,
    pub(super) fx: Effects,
    next_batch: u64,
}

impl Worker {
    /// Not connected yet.
    pub(super) fn new() -> Self {
        Self::with_slots(2_000)
    }

    pub(super) fn with_slots(slots_milli: u32) -> Self {
        let pools = Demand {
            slots_milli,
            cpu_milli: 8_000,
            ..Demand::default()
        };
        let options = Options {
            seed: 1,
            pools,
            prefetch: 4,
            drain_timeout_ms: DRAIN,
            remembered: None,
        };
        let now = Now {
            mono: Mono(1_000),
            wall: Wall(1_700_000_000_000),
        };
        Self {
            state: State::new(options),
            now,
            fx: Effects::new(),
            next_batch: 0,
        }
    }

    /// Connected, with nothing to do.
    pub(super) fn connected() -> Self {
        let mut worker = Self::new();
        worker.tick();
        worker.open();
        worker
    }

    pub(super) fn remembering(cluster: ClusterId, epoch: u64) -> Self {
        let mut worker = Self::new();
        let pools = Demand {
            slots_milli: 2_000,
            ..Demand::default()
        };
        let remembered = Some(Remembered { cluster, epoch });
        worker.state = State::new(Options {
            seed: 1,
            pools,
            prefetch: 4,
            drain_timeout_ms: DRAIN,
            remembered,
        });
        worker.tick();
        worker
    }

    /// What one event makes it do; everything before is forgotten.
    pub(super) fn on(&mut self, event: Event) -> &Effects {
        self.fx = Effects::new();
        self.state.handle(self.now, event, &mut self.fx);
        self.state.check().unwrap();
        &self.fx
    }

    pub(super) fn tick(&mut self) -> &Effects {
        self.on(Event::Tick)
    }

    /// Lets time pass on both clocks, then ticks.
    pub(super) fn after(&mut self, ms: u64) -> &Effects {
        self.now = Now {
            mono: self.now.mono.plus(ms),
            wall: self.now.wall.plus(ms),
        };
        self.tick()
    }

    /// Says Hello and is welcomed without verdicts.
    pub(super) fn open(&mut self) -> &Effects {
        self.open_with(Vec::new())
    }

    pub(super) fn open_with(&mut self, verdicts: Vec<Verdict>) -> &Effects {
        self.next_batch = 0;
        self.state.compose_hello(self.now);
        self.on(Event::Welcomed(Box::new(Welcome {
            verdicts,
            ..welcome(7)
        })))
    }

    pub(super) fn lose_stream(&mut self) -> &Effects {
        self.on(Event::Closed(Closed {
            by: ClosedBy::Failure,
            detail: "gone".to_owned(),
        }))
    }

    /// Loses the stream, dials again and opens with these verdicts.
    pub(super) fn reconnect_with(&mut self, verdicts: Vec<Verdict>) -> Vec<Message> {
        self.lose_stream();
        while !self.fx.connect {
            self.after(100);
        }
        self.open_with(verdicts);
        self.said()
    }

    pub(super) fn offer(&mut self, counters: &[u64]) -> &Effects {
        let jobs = counters
            .iter()
            .map(|counter| job(*counter, 1_000))
            .collect();
        self.offer_jobs(jobs)
    }

    pub(super) fn offer_jobs(&mut self, jobs: Vec<Job>) -> &Effects {
        self.next_batch += 1;
        let offers = jobs
            .into_iter()
            .map(|job| Offered::Job(Box::new(job)))
            .collect();
        self.on(Event::Offers {
            seq: self.next_batch,
            offers,
            more: false,
        })
    }

    pub(super) fn end(&mut self, counter: u64, how: Outcome) -> &Effects {
        self.on(Event::Ended(lease(counter), Box::new(outcome(how))))
    }

    pub(super) fn ack(&mut self, counter: u64) -> &Effects {
        self.on(Event::ResultAcks(vec![lease(counter)]))
    }

    pub(super) fn judge(&mut self, counter: u64, action: VerdictAction) -> &Effects {
        self.on(Event::Verdicts(vec![verdict(counter, action)]))
    }

    pub(super) fn stop(&mut self) -> &Effects {
        self.on(Event::StopAsked {
            now: false,
            reason: "test".to_owned(),
        })
    }

    /// Everything it wants to say now.
    pub(super) fn said(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.state.compose(self.now)).collect()
    }

    /// The outcomes it reports now, by lease counter.
    pub(super) fn reported(&mut self) -> Vec<(u64, Outcome)> {
        reported(&self.said())
    }

    pub(super) fn started(&self) -> Vec<u64> {
        self.fx.starts.iter().map(|job| job.lease.counter).collect()
    }

    pub(super) fn killed(&self) -> Vec<u64> {
        self.fx
            .kills
            .iter()
            .map(|kill| kill.lease.counter)
            .collect()
    }

    pub(super) fn written(&self) -> Vec<u64> {
        self.fx
            .spool_writes
            .iter()
            .map(|finished| finished.lease.counter)
            .collect()
    }

    /// What it would list in a heartbeat, by lease counter.
    pub(super) fn holds(&self) -> Vec<(u64, LeaseState)> {
        self.state
            .held()
            .iter()
            .map(|Held { lease, state, .. }| (lease.counter, *state))
            .collect()
    }

    pub(super) fn exits(&self) -> Option<Exit> {
        self.fx.exit
    }
}

pub(super) fn verdict(counter: u64, action: VerdictAction) -> Verdict {
    Verdict {
        lease: lease(counter),
        action,
    }
}

pub(super) fn reported(said: &[Message]) -> Vec<(u64, Outcome)> {
    let results = said.iter().filter_map(|message| {
        if let Message::Results(results) = message {
            Some(results)
        } else {
            None
        }
    });
    results
        .flatten()
        .map(|finished| (finished.lease.counter, finished.ended.outcome))
        .collect()
}

pub(super) fn released(said: &[Message]) -> Vec<u64> {
    let leases = said.iter().filter_map(|message| match message {
        Message::Released { leases, .. } => Some(leases),
        _ => None,
    });
    leases.flatten().map(|lease| lease.counter).collect()
}

pub(super) fn finished(counter: u64) -> Finished {
    let ended = outcome(Outcome::Succeeded);
    Finished {
        lease: lease(counter),
        task_id: TaskId(u128::from(counter)),
        queued_ms: 0,
        ended,
    }
}
