//! Clients: they submit, cancel and ask, and do it again when they were told that the outcome is unknown.

use std::sync::Arc;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_coordinator::grpc::convert;
use openclaw_core::effect::{Accepted, Refusal, TaskState};
use openclaw_core::event::{Event, Query, ReplyId};
use openclaw_core::model::{Principal, Role};

use super::agenda::Step;
use super::bug::Bug;
use super::coordinator::Input;
use super::verdict::{Checked, broken};
use super::world::World;

/// Something that a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A request of the run's list is sent, or sent again.
    Submit(usize),
    /// A task is to be cancelled.
    Cancel(TaskId),
    /// Where is this task?
    Ask(TaskId),
}

/// Who waits for an answer of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// The client of this request.
    Submit(usize),
    /// Whoever wants this task ended.
    Cancel(TaskId),
    /// Whoever asks where it is.
    Ask(TaskId),
}

/// One request to submit tasks.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Numbers of the tasks.
    pub(crate) numbers: Vec<usize>,
    /// With it the request may be repeated.
    pub(crate) key: String,
    pub(crate) user: Arc<str>,
    /// What was answered, once it was.
    pub(crate) answer: Option<Vec<TaskId>>,
    tries: u32,
    /// Ids under which the tasks were handed to the core, each time.
    pub(crate) handed: Vec<Vec<TaskId>>,
}

impl Request {
    pub(crate) fn new(numbers: Vec<usize>, key: String, user: &str) -> Self {
        Self {
            numbers,
            key,
            user: user.into(),
            answer: None,
            tries: 0,
            handed: Vec::new(),
        }
    }
}

impl World {
    /// A client acts.
    pub(crate) fn client(&mut self, errand: Errand) -> Checked {
        if !self.coordinator.up || self.coordinator.clock.frozen().is_some() {
            {
                self.again(errand);
                return Ok(());
            }
        }
        match errand {
            Errand::Submit(request) => self.submit(request),
            Errand::Cancel(task) => self.drive(Input::Request(
                Event::Cancel {
                    principal: principal("ann"),
                    task,
                    reason: "enough".into(),
                    reply: ReplyId(0),
                },
                Waiter::Cancel(task),
            )),
            Errand::Ask(task) => self.drive(Input::Request(
                Event::Query {
                    query: Query::Task(task),
                    reply: ReplyId(0),
                },
                Waiter::Ask(task),
            )),
        }
    }

    fn submit(&mut self, index: usize) -> Checked {
        let request = &self.requests[index];
        if request.answer.is_some() {
            return Ok(());
        }
        let specs = request
            .numbers
            .iter()
            .map(|number| self.plans[*number].spec())
            .collect();
        let key = if self.bugged(Bug::KeyDropped) {
            ""
        } else {
            request.key.as_str()
        };
        let principal = principal(&request.user);
        let random = u128::from(self.rng.bits() >> 1) << 10;
        let wall = self.coordinator_now().wall;
        let limits = &self.coordinator.greeting.limits;
        let tasks = match convert::new_tasks(specs, key, &principal, limits, wall, random) {
            Ok(tasks) => tasks,
            Err(refusal) => {
                return broken(
                    "client",
                    format!("a true request was refused: {}", refusal.detail),
                );
            }
        };
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let numbers = request.numbers.clone();
        for (id, number) in ids.iter().zip(numbers) {
            self.truth.handed(*id, number, index);
        }
        self.requests[index].handed.push(ids);
        let event = Event::Submit {
            principal,
            tasks,
            reply: ReplyId(0),
        };
        self.drive(Input::Request(event, Waiter::Submit(index)))
    }

    /// Later.
    fn again(&mut self, errand: Errand) {
        let at = self.now + self.rng.between(300, 3_000);
        self.agenda.push(at, &mut self.rng, Step::Client(errand));
    }

    /// The outcome is unknown: whoever has a key asks again, others give up.
    pub(crate) fn unanswered(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Submit(index) => {
                let request = &mut self.requests[index];
                request.tries += 1;
                if request.key.is_empty() {
                    return;
                }
                self.again(Errand::Submit(index));
            }
            Waiter::Cancel(task) => {
                self.again(Errand::Cancel(task));
            }
            Waiter::Ask(_) => {}
        }
    }

    /// A submit was answered.
    pub(crate) fn submitted(
        &mut self,
        index: usize,
        outcome: Result<Vec<Accepted>, Refusal>,
    ) -> Checked {
        // The answer may be lost on the way; the client then asks again.
        let lost =
            self.rng.percent(self.chaos.lost_answers) && !self.requests[index].key.is_empty();
        let accepted = match outcome {
            Ok(accepted) => accepted,
            Err(refusal) if refusal.code == ErrorCode::QueueFull => {
                self.again(Errand::Submit(index));
                return Ok(());
            }
            Err(refusal) => {
                return broken(
                    "client",
                    format!("a true request was refused: {}", refusal.detail),
                );
            }
        };
        let ids: Vec<TaskId> = accepted.iter().map(|one| one.id).collect();
        self.trace(format_args!(
            "request {index} is accepted{}: {ids:?}",
            if lost {
                ", which its client never hears"
            } else {
                ""
            }
        ));
        self.truth
            .acknowledged(index, &self.requests[index], &ids)?;
        if lost {
            {
                self.again(Errand::Submit(index));
                return Ok(());
            }
        }
        for task in &ids {
            if self.rng.percent(self.chaos.cancels) {
                let at = self.now + self.rng.between(0, 60_000);
                self.agenda
                    .push(at, &mut self.rng, Step::Client(Errand::Cancel(*task)));
            }
            if self.rng.percent(20) {
                let at = self.now + self.rng.between(0, 120_000);
                self.agenda
                    .push(at, &mut self.rng, Step::Client(Errand::Ask(*task)));
            }
        }
        self.requests[index].answer = Some(ids);
        Ok(())
    }

    /// A cancel was answered.
    pub(crate) fn cancel_answered(
        &mut self,
        task: TaskId,
        outcome: Result<TaskState, Refusal>,
    ) -> Checked {
        self.trace(format_args!("cancel of {task}: {outcome:?}"));
        match outcome {
            Ok(state) => self.truth_cancelled(task, state.status),
            Err(refusal) if refusal.code == ErrorCode::NotFound => self.truth_is_final(task),
            Err(refusal) => broken(
                "client",
                format!("a cancel was refused: {}", refusal.detail),
            ),
        }
    }
}

/// Somebody who may do everything.
pub(crate) fn principal(user: &str) -> Principal {
    Principal {
        user: user.into(),
        role: Role::Admin,
    }
}
