//! What the streams of workers need: a way to the core for what comes in, specifications for what goes out.

use std::sync::Arc;

use openclaw_common::id::{SessionId, TaskId};
use openclaw_core::effect::Refusal;
use openclaw_core::event::SessionEvent;
use openclaw_core::model::Hello;

use super::admit::{Handle, RESULT_BYTES, TASK_OVERHEAD, room_for};
use crate::driver::WorkerInput;
use crate::outbox::Outbox;

impl Handle {
    /// The name of a new stream.
    pub(crate) fn next_session(&self) -> SessionId {
        self.inner.shared.next_session()
    }

    /// A stream opened. Waits while the driver is busy; an error means that the driver is gone.
    pub(crate) async fn session_opened(
        &self,
        session: SessionId,
        outbox: Outbox,
        hello: Hello,
    ) -> Result<(), Refusal> {
        let hello = Box::new(hello);
        let sent = self
            .inner
            .lanes
            .workers
            .send(WorkerInput::Opened {
                session,
                outbox,
                hello,
            })
            .await;
        sent.map_err(|_| self.gone())
    }

    /// Something of a stream. Waits while the driver is busy, and while too many bytes of results are on their way.
    pub(crate) async fn session_event(
        &self,
        session: SessionId,
        event: SessionEvent,
    ) -> Result<(), Refusal> {
        let room = match &event {
            SessionEvent::Results(results) => {
                let bytes = results
                    .iter()
                    .map(|result| result.payload.len() + TASK_OVERHEAD)
                    .sum();
                let places = Arc::clone(&self.inner.result_room);
                // The semaphore is never closed.
                places
                    .acquire_many_owned(room_for(bytes, RESULT_BYTES))
                    .await
                    .ok()
            }
            _ => None,
        };
        let sent = self
            .inner
            .lanes
            .workers
            .send(WorkerInput::Event {
                session,
                event,
                room,
            })
            .await;
        sent.map_err(|_| self.gone())
    }

    /// Specifications of tasks, as stored; `None` for one that is not there.
    pub(crate) async fn specs(
        &self,
        tasks: Vec<TaskId>,
    ) -> Result<Vec<Option<bytes::Bytes>>, Refusal> {
        let found = self.inner.shared.specs.take(tasks.iter().copied());
        if found.iter().all(Option::is_some) {
            return Ok(found);
        }
        self.read(move |reader| {
            let missing = |(task, found): (TaskId, Option<bytes::Bytes>)| match found {
                Some(spec) => Ok(Some(spec)),
                None => reader.spec(task),
            };
            tasks.into_iter().zip(found).map(missing).collect()
        })
        .await
    }
}
