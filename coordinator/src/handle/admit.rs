//! The handle itself: requests into the lanes, answers out of them.

use std::sync::Arc;
use std::time::Duration;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_common::time::Now;
use openclaw_core::effect::{Accepted, Refusal, Reply, TaskState};
use openclaw_core::event::Query as CoreQuery;
use openclaw_core::model::{NewTask, Principal};
use openclaw_core::view::Explanation;
use openclaw_proto::v1;
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::driver::{Command, Lanes, PublishedView, Query};
use crate::events::{Followed, Following};
use crate::grpc::convert::{Limits, new_tasks};
use crate::reply::refusal;
use crate::shared::{Health, Phase, Shared, store_trouble};
use crate::store::{Reader, StoreError};

/// An answer that takes longer than this is given up; the request may still take effect.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of submitted tasks that are on their way to the disk.
const SUBMIT_BYTES: usize = 64 * 1024 * 1024;
/// What a task costs beside its specification.
pub(super) const TASK_OVERHEAD: usize = 512;
/// Bytes of results that are on their way to the disk.
pub(super) const RESULT_BYTES: usize = 64 * 1024 * 1024;
/// Reads of the store at the same time; more are refused.
const READS: usize = 256;

/// See the module.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) inner: Arc<Inner>,
}

/// What a handle is made of.
#[derive(Debug)]
pub struct HandleParts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lanes: Lanes,
    /// Limits of requests.
    pub limits: Limits,
    /// Owns reads that block.
    pub readers: TaskGroup,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Lanes,
    limits: Limits,
    readers: TaskGroup,
    submit_room: Arc<Semaphore>,
    pub(super) result_room: Arc<Semaphore>,
    reads: Semaphore,
}

impl Handle {
    /// A handle on a driver that may not run yet.
    pub fn new(parts: HandleParts) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared: parts.shared,
                lanes: parts.lanes,
                limits: parts.limits,
                readers: parts.readers,
                submit_room: Arc::new(Semaphore::new(SUBMIT_BYTES)),
                result_room: Arc::new(Semaphore::new(RESULT_BYTES)),
                reads: Semaphore::new(READS),
            }),
        }
    }

    /// Limits of requests.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.inner.shared.clock.now()
    }

    /// Checks specifications and makes tasks of them; nothing is submitted yet. `request_key` as in
    /// `SubmitTasksRequest.idempotency_key`.
    pub fn prepare(
        &self,
        principal: &Principal,
        specs: Vec<v1::TaskSpec>,
        request_key: &str,
    ) -> Result<Vec<NewTask>, Refusal> {
        new_tasks(
            specs,
            request_key,
            principal,
            self.limits(),
            self.now().wall,
            random_bits()?,
        )
    }

    /// Submits tasks, all or none. Answered after they are durable: one entry for each, in their order.
    pub async fn submit(
        &self,
        principal: Principal,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Accepted>, Refusal> {
        self.ready()?;
        self.ids_are_free(&tasks).await?;
        let room = self.submit_room(&tasks)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Submit {
            principal,
            tasks,
            reply,
            room,
        };
        self.command(command)?;
        match self.answer(answer).await? {
            Reply::Submitted(outcome) => outcome,
            other => Err(mixed_up(&other)),
        }
    }

    /// Refuses an id of the caller's choice that names an ended task whose id was made here. The core forgets such tasks:
    /// it knows the ids of live tasks and those that callers chose. That this looks before the core decides leaves no
    /// gap: an id made here is known to others only after its task is in the store, where it stays while that is kept.
    async fn ids_are_free(&self, tasks: &[NewTask]) -> Result<(), Refusal> {
        let chosen: Vec<(usize, TaskId)> = tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.id_given)
            .map(|(index, task)| (index, task.id))
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let taken = self
            .read(move |reader| {
                for (index, id) in chosen {
                    if reader.submit(id)?.is_some_and(|row| !row.task.id_given) {
                        return Ok(Some((index, id)));
                    }
                }
                Ok(None)
            })
            .await?;
        taken.map_or(Ok(()), |(index, id)| {
            Err(Refusal {
                code: ErrorCode::AlreadyExists,
                detail: format!("task_id: {id} is taken"),
                index: Some(index),
            })
        })
    }

    /// Asks for a task to be ended. Answered with where it stands after that; a final task is left as it is.
    pub async fn cancel(
        &self,
        principal: Principal,
        task: TaskId,
        reason: &str,
    ) -> Result<TaskState, Refusal> {
        self.ready()?;
        let (reply, answer) = oneshot::channel();
        let reason = crate::grpc::convert::bounded(reason, 1_024);
        self.command(Command::Cancel {
            principal,
            task,
            reason,
            reply,
        })?;
        match self.answer(answer).await? {
            Reply::Cancelled(Err(refused)) if refused.code == ErrorCode::NotFound => {
                self.final_state(task).await
            }
            Reply::Cancelled(outcome) => outcome,
            other => Err(mixed_up(&other)),
        }
    }

    /// Why a task waits, node by node; `None`: it is final or unknown.
    pub async fn explain(&self, task: TaskId) -> Result<Option<Box<Explanation>>, Refusal> {
        match self.query(CoreQuery::Explain(task)).await? {
            Reply::Explained(explained) => Ok(explained),
            other => Err(mixed_up(&other)),
        }
    }

    /// Nodes and counts as of the last flush; at most some tens of milliseconds old.
    pub fn view(&self) -> Arc<PublishedView> {
        Arc::clone(&self.view_changes().borrow())
    }

    /// Sees every published view from now on.
    pub fn view_changes(&self) -> watch::Receiver<Arc<PublishedView>> {
        self.inner.shared.view_changes()
    }

    /// Follows tasks from now on.
    pub fn follow(&self, tasks: Vec<TaskId>) -> Following {
        self.inner.shared.hub.follow(tasks)
    }

    /// Whether the coordinator does its work, and why not.
    pub fn health(&self) -> Health {
        self.inner.shared.health()
    }

    /// Sees every change between working and not.
    pub fn phase_changes(&self) -> watch::Receiver<Phase> {
        self.inner.shared.phase_changes()
    }

    /// A question about live tasks; refused when too many wait.
    pub(super) async fn query(&self, query: CoreQuery) -> Result<Reply, Refusal> {
        self.ready()?;
        let (reply, answer) = oneshot::channel();
        self.inner
            .lanes
            .reads
            .try_send(Query { query, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    refusal(ErrorCode::Overloaded, "too many questions are waiting")
                }
                mpsc::error::TrySendError::Closed(_) => self.gone(),
            })?;
        self.answer(answer).await
    }

    /// Reads the store beside the runtime.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let full = |_| refusal(ErrorCode::Overloaded, "too many reads of the store at once");
        let _place = self.inner.reads.try_acquire().map_err(full)?;
        let reader = self.inner.shared.reader()?;
        let done = self
            .inner
            .readers
            .spawn_blocking("store read", move || work(reader.as_ref()));
        match done.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(StoreError::Closed)) => Err(self.gone()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be read");
                Err(store_trouble(&error))
            }
            Err(_) => Err(refusal(
                ErrorCode::Internal,
                "reading the store failed; the log has the place",
            )),
        }
    }

    /// Refuses while the store is not open.
    fn ready(&self) -> Result<(), Refusal> {
        let phase = self.inner.shared.phase();
        self.inner.shared.trouble_of(&phase).map_or(Ok(()), Err)
    }

    fn submit_room(&self, tasks: &[NewTask]) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = tasks
            .iter()
            .map(|task| task.spec.len() + TASK_OVERHEAD)
            .sum();
        let places = Arc::clone(&self.inner.submit_room);
        places
            .try_acquire_many_owned(room_for(bytes, SUBMIT_BYTES))
            .map_err(|_| {
                refusal(
                    ErrorCode::QueueFull,
                    "more tasks are being submitted than the disk takes; try again in a second",
                )
            })
    }

    fn command(&self, command: Command) -> Result<(), Refusal> {
        self.inner
            .lanes
            .control
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => refusal(
                    ErrorCode::QueueFull,
                    "too many requests are waiting; try again in a second",
                ),
                mpsc::error::TrySendError::Closed(_) => self.gone(),
            })
    }

    async fn answer(&self, answer: oneshot::Receiver<Reply>) -> Result<Reply, Refusal> {
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err(refusal(
                ErrorCode::Unavailable,
                "the store failed while the request was on its way; whether it took effect is unknown",
            )),
            Err(_) => Err(refusal(
                ErrorCode::Unavailable,
                format!(
                    "no answer within {} s; whether the request took effect is unknown",
                    PATIENCE.as_secs()
                ),
            )),
        }
    }

    pub(super) fn gone(&self) -> Refusal {
        let phase = self.inner.shared.phase();
        let unknown = || {
            refusal(
                ErrorCode::Unavailable,
                "the coordinator's store is being reopened",
            )
        };
        self.inner.shared.trouble_of(&phase).unwrap_or_else(unknown)
    }
}

/// The next change of a following, or `None` when the run is over and the state must be read anew.
pub(super) async fn next_change(following: &mut Following) -> Option<Followed> {
    match following.next().await {
        Followed::Over => None,
        followed => Some(followed),
    }
}

/// Permits for a number of bytes: at least one, at most all there are.
pub(super) fn room_for(bytes: usize, all: usize) -> u32 {
    u32::try_from(bytes.clamp(1, all)).unwrap_or(u32::MAX)
}

/// 80 random bits for ids. The lowest are left for counting the tasks of a request.
fn random_bits() -> Result<u128, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        refusal(
            ErrorCode::Internal,
            format!("the operating system gives no random bytes: {error}"),
        )
    })?;
    Ok(u128::from_be_bytes(bytes))
}

/// An answer of another kind than the question.
pub(super) fn mixed_up(reply: &Reply) -> Refusal {
    tracing::error!(?reply, "an answer of another kind than the question");
    refusal(
        ErrorCode::Internal,
        "the coordinator mixed up an answer; please report it with the log",
    )
}
