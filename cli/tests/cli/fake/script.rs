//! What the fake is told to say, and what it was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use openclaw_proto::v1;
use tonic::Status;

/// One answer in a stream.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The task is durable.
    Accept(v1::TaskStatus),
    /// It stands so.
    State(v1::TaskState),
    /// It is final.
    Task(Box<v1::Task>),
    /// A piece of a log.
    Log(v1::GetTaskLogsResponse),
    /// The stream breaks with this.
    Break(Status),
    /// Nothing more comes.
    Hang,
}

/// A call that was made, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Run(Box<v1::TaskSpec>),
    Submit(Box<v1::TaskSpec>),
    Watch(Vec<String>),
    Cancel(String),
    List(v1::ListTasksRequest),
}

/// The answers, each used once in order; the last one stays.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) token: Option<String>,
    pub(crate) runs: Mutex<VecDeque<Vec<Step>>>,
    pub(crate) watches: Mutex<VecDeque<Vec<Step>>>,
    pub(crate) logs: Mutex<VecDeque<Vec<Step>>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) tasks: Mutex<Vec<v1::Task>>,
    pub(crate) nodes: Vec<v1::Node>,
    pub(crate) skills: Vec<v1::ClusterSkill>,
    pub(crate) explained: Option<v1::ExplainTaskResponse>,
    pub(crate) cluster: v1::GetClusterResponse,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn next(queue: &Mutex<VecDeque<Vec<Step>>>) -> Vec<Step> {
    let mut queue = lock(queue);
    if queue.len() > 1 {
        queue.pop_front().unwrap()
    } else {
        queue.front().cloned().unwrap_or_default()
    }
}

impl Script {
    pub(crate) fn run(self, steps: impl Into<Vec<Step>>) -> Self {
        lock(&self.runs).push_back(steps.into());
        self
    }

    pub(crate) fn watch(self, steps: impl Into<Vec<Step>>) -> Self {
        lock(&self.watches).push_back(steps.into());
        self
    }

    pub(crate) fn log(self, steps: impl Into<Vec<Step>>) -> Self {
        lock(&self.logs).push_back(steps.into());
        self
    }

    pub(crate) fn task(self, task: v1::Task) -> Self {
        lock(&self.tasks).push(task);
        self
    }

    pub(crate) fn next_run(&self) -> Vec<Step> {
        next(&self.runs)
    }

    pub(crate) fn next_watch(&self) -> Vec<Step> {
        next(&self.watches)
    }

    pub(crate) fn next_log(&self) -> Vec<Step> {
        next(&self.logs)
    }

    pub(crate) fn note(&self, call: Call) {
        lock(&self.calls).push(call);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }
}
