//! What a driver waits for: the select, and nothing but the select.

use std::time::Duration;

use openclaw_common::time::Mono;
use openclaw_runtime::clock::Clock;
use openclaw_runtime::shutdown::{Hangups, Shutdown, Stage};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::turn::Driver;
use crate::connection::{Control, Dialed};
use crate::executor;
use crate::skills::Skills;
use crate::spool::Done;
use crate::state::{Closed, Event};

/// Most events taken at once.
const BATCH: usize = 256;
/// Longest wait without a deadline; the look at the clocks comes sooner.
const FAR: Duration = Duration::from_hours(1);

/// Why the driver woke. Events lie in its buffers.
pub(super) enum Woken {
    /// There are messages or events, or room to say something.
    Work,
    /// A coordinator answered, or none did.
    Dialed(Result<Box<Dialed>, Closed>),
    /// The request to stop reached this stage.
    Stop(Stage),
    /// Somebody asks to look at the skills again.
    LookAgain,
    /// The skills were looked at again.
    Looked(Option<Skills>),
    /// A result was written, or could not be.
    Kept(Done),
    /// A second has passed.
    Second,
    /// A deadline may be due.
    Deadline,
}

/// The stream to the coordinator, or the way to it.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub dialing: Option<AbortOnDropHandle<Result<Box<Dialed>, Closed>>>,
    pub control: Option<Control>,
}

impl Driver {
    pub(super) async fn wait(&mut self) -> Woken {
        let deadline = self.parts.state.next_deadline();
        let speaking = self.parts.state.has_output();
        let Line { dialing, control } = &mut self.line;
        let (incoming, outgoing) = match control {
            Some(control) => (Some(&mut control.incoming), control.outgoing.as_ref()),
            None => (None, None),
        };
        tokio::select! {
            heard = hear(incoming, &mut self.heard) => {
                if !heard {
                    let closed = Closed { by: crate::state::ClosedBy::Failure, detail: "the stream ended".to_owned() };
                    self.heard.push(Event::Closed(closed));
                }
                Woken::Work
            }
            _ = self.attempts.events.recv_many(&mut self.happened, BATCH) => Woken::Work,
            () = room(outgoing), if speaking => Woken::Work,
            dialed = dialed(dialing) => Woken::Dialed(dialed),
            stage = next_stage(&mut self.parts.shutdown, self.stage) => Woken::Stop(stage),
            Some(done) = self.parts.kept.recv() => Woken::Kept(done),
            skills = looked(&mut self.looking) => Woken::Looked(skills),
            () = hangup(self.parts.hangups.as_mut()) => Woken::LookAgain,
            _ = self.seconds.tick() => Woken::Second,
            () = until(self.parts.clock, deadline) => Woken::Deadline,
        }
    }
}

/// Takes what came in; false when the stream's task is gone.
async fn hear(
    incoming: Option<&mut tokio::sync::mpsc::Receiver<Event>>,
    heard: &mut Vec<Event>,
) -> bool {
    match incoming {
        Some(incoming) => incoming.recv_many(heard, BATCH).await > 0,
        None => std::future::pending().await,
    }
}

/// Waits until the stream can take another message. A stream that takes none any more ends by its incoming side.
async fn room(outgoing: Option<&tokio::sync::mpsc::Sender<openclaw_proto::v1::ConnectRequest>>) {
    match outgoing {
        Some(outgoing) if outgoing.reserve().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

async fn dialed(
    dialing: &mut Option<AbortOnDropHandle<Result<Box<Dialed>, Closed>>>,
) -> Result<Box<Dialed>, Closed> {
    let Some(task) = dialing else {
        return std::future::pending().await;
    };
    let result = task.await;
    *dialing = None;
    result.unwrap_or_else(|error| {
        Err(Closed {
            by: crate::state::ClosedBy::Failure,
            detail: format!("dialing failed: {error}"),
        })
    })
}

async fn looked(looking: &mut Option<JoinHandle<Skills>>) -> Option<Skills> {
    let Some(task) = looking else {
        return std::future::pending().await;
    };
    let result = task.await;
    *looking = None;
    result.ok()
}

async fn next_stage(shutdown: &mut Shutdown, stage: Stage) -> Stage {
    match stage {
        Stage::Running => {
            shutdown.graceful().await;
            shutdown.stage()
        }
        Stage::Graceful => {
            shutdown.now().await;
            Stage::Now
        }
        Stage::Now => std::future::pending().await,
    }
}

async fn hangup(hangups: Option<&mut Hangups>) {
    match hangups {
        Some(hangups) => hangups.next().await,
        None => std::future::pending().await,
    }
}

async fn until(clock: Clock, deadline: Option<Mono>) {
    match deadline.and_then(|at| clock.instant_of(at)) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => tokio::time::sleep(FAR).await,
    }
}

/// What the executor told, taken out of the buffer.
pub(super) type Happened = Vec<executor::Event>;
