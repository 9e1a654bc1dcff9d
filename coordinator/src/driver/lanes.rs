//! The three ways into the driver, each with its bound.
//!
//! Workers are never refused: their senders wait. Submits and control are refused with "queue full", reads with
//! "overloaded". Beside the number of messages, the bytes that they carry are bounded until they are durable.

use openclaw_common::id::SessionId;
use openclaw_core::effect::Reply;
use openclaw_core::event::{Query as CoreQuery, SessionEvent};
use openclaw_core::model::{Hello, NewTask, Principal};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::outbox::Outbox;

/// Messages of workers that wait; their streams wait beyond that.
const WORKERS: usize = 8_192;
/// Requests that change something.
const CONTROL: usize = 2_048;
/// Questions.
const READS: usize = 2_048;

/// Something of a worker's stream.
#[derive(Debug)]
pub(crate) enum WorkerInput {
    /// A stream opened.
    Opened {
        /// Its name.
        session: SessionId,
        /// Where to put what is sent on it.
        outbox: Outbox,
        /// Its first message.
        hello: Box<Hello>,
    },
    /// A later message, or its end.
    Event {
        /// Its name.
        session: SessionId,
        /// What.
        event: SessionEvent,
        /// The room that its bytes take until they are durable.
        room: Option<OwnedSemaphorePermit>,
    },
}

/// A request that changes something.
#[derive(Debug)]
pub(crate) enum Command {
    /// Tasks to accept.
    Submit {
        /// Who asks.
        principal: Principal,
        /// The tasks.
        tasks: Vec<NewTask>,
        /// Who waits.
        reply: oneshot::Sender<Reply>,
        /// The room that its bytes take until they are durable.
        room: OwnedSemaphorePermit,
    },
    /// A task to end.
    Cancel {
        /// Who asks.
        principal: Principal,
        /// Which.
        task: openclaw_common::id::TaskId,
        /// Why, for people.
        reason: Box<str>,
        /// Who waits.
        reply: oneshot::Sender<Reply>,
    },
}

/// A question about live tasks.
#[derive(Debug)]
pub(crate) struct Query {
    /// What.
    pub(crate) query: CoreQuery,
    /// Who waits.
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// The outer ends.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    pub(crate) workers: mpsc::Sender<WorkerInput>,
    pub(crate) control: mpsc::Sender<Command>,
    pub(crate) reads: mpsc::Sender<Query>,
}

/// The driver's ends.
#[derive(Debug)]
pub(crate) struct Inlets {
    pub(crate) workers: mpsc::Receiver<WorkerInput>,
    pub(crate) control: mpsc::Receiver<Command>,
    pub(crate) reads: mpsc::Receiver<Query>,
}

impl Inlets {
    /// No request waits. What workers said and was not handled they say again to the next coordinator.
    pub(crate) fn are_idle(&self) -> bool {
        self.control.is_empty() && self.reads.is_empty()
    }
}

/// All three lanes.
pub(crate) fn lanes() -> (Lanes, Inlets) {
    let (workers_in, workers) = mpsc::channel(WORKERS);
    let (control_in, control) = mpsc::channel(CONTROL);
    let (reads_in, reads) = mpsc::channel(READS);
    let lanes = Lanes {
        workers: workers_in,
        control: control_in,
        reads: reads_in,
    };
    (
        lanes,
        Inlets {
            workers,
            control,
            reads,
        },
    )
}
