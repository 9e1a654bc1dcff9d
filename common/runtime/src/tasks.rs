//! Owned tasks: every future that runs beside another belongs to a group, and every group drains in bounded time.
//!
//! The only module that may call `tokio::spawn`.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// Owner of a set of tasks. Clones are handles on the same group.
///
/// Dropping the last handle stops nothing: an owner calls [`TaskGroup::shutdown`].
#[derive(Clone, Debug, Default)]
pub struct TaskGroup {
    tracker: TaskTracker,
    token: CancellationToken,
    members: Arc<Members>,
}

/// The tasks that have not ended, so that a drain can name them and end them.
#[derive(Debug, Default)]
struct Members {
    next: AtomicU64,
    alive: Mutex<BTreeMap<u64, Member>>,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    abort: Option<AbortHandle>,
}

/// Strikes a task off the list however it ends: return, abort or panic.
struct Leave {
    members: Arc<Members>,
    id: u64,
}

impl TaskGroup {
    /// An empty group with a cancellation token of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that is cancelled when this one is, and can be shut down alone. Its tasks are drained by its own
    /// [`TaskGroup::shutdown`], not by this group's.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            token: self.token.child_token(),
            ..Self::default()
        }
    }

    /// Runs `future` beside the caller until it ends. It should watch [`TaskGroup::cancelled`]; what does not is
    /// aborted when the drain's deadline passes. `name` is what a late drain prints.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let leave = self.members.enter(name);
        let id = leave.id;
        let tracked = self.tracker.track_future(async move {
            let _leave = leave;
            future.await
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the owner that every other spawn goes through"
        )]
        let handle = tokio::spawn(tracked);
        self.members.can_abort(id, handle.abort_handle());
        handle
    }

    /// Runs blocking work on a thread made for that. It cannot be aborted: it must end by itself or watch the token.
    pub fn spawn_blocking<F, T>(&self, name: &'static str, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let leave = self.members.enter(name);
        self.tracker.spawn_blocking(move || {
            let _leave = leave;
            work()
        })
    }

    /// Asks every task of the group to end, without waiting.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Completes when the group has been asked to end.
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Whether the group has been asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The token of the group, to hand into streams and loops.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Number of tasks that have not ended.
    pub fn len(&self) -> usize {
        self.members.lock().len()
    }

    /// Whether no task is running.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cancels the group, waits up to `deadline` for its tasks, then aborts those that remain. Returns how many
    /// those were; their names are logged. Takes at most `deadline`, whatever the tasks do.
    pub async fn shutdown(&self, deadline: Duration) -> usize {
        self.token.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok()
        {
            return 0;
        }
        let late = self.members.abort_all();
        if !late.is_empty() {
            tracing::warn!(deadline = ?deadline, tasks = ?late, "tasks did not end in time and were aborted");
        }
        late.len()
    }
}

impl Members {
    fn enter(self: &Arc<Self>, name: &'static str) -> Leave {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, Member { name, abort: None });
        Leave {
            members: Arc::clone(self),
            id,
        }
    }

    /// Remembers how to end a task, unless it has ended already.
    fn can_abort(&self, id: u64, abort: AbortHandle) {
        if let Some(member) = self.lock().get_mut(&id) {
            member.abort = Some(abort);
        }
    }

    fn abort_all(&self) -> Vec<&'static str> {
        let alive = self.lock();
        for member in alive.values() {
            if let Some(abort) = &member.abort {
                abort.abort();
            }
        }
        alive.values().map(|member| member.name).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Member>> {
        // No code between lock and unlock can panic; a poisoned map is still a map.
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.members.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_tasks_that_heed_the_token() {
        let group = TaskGroup::new();
        let token = group.token();
        let ended = group.spawn("heeds", async move { token.cancelled().await });
        assert_eq!(group.len(), 1);
        assert_eq!(group.shutdown(Duration::from_secs(5)).await, 0);
        assert!(ended.await.is_ok());
        assert!(group.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_counts_and_aborts_tasks_that_do_not() {
        let group = TaskGroup::new();
        let deaf = group.spawn("deaf", std::future::pending::<()>());
        group.spawn("quick", async {});
        assert_eq!(group.shutdown(Duration::from_secs(5)).await, 1);
        assert!(deaf.await.unwrap_err().is_cancelled());
        assert!(group.is_empty());
    }

    #[tokio::test]
    async fn a_task_that_panics_leaves_the_group() {
        let group = TaskGroup::new();
        let failed = group.spawn("panics", async { panic!("on purpose") });
        assert!(failed.await.unwrap_err().is_panic());
        assert_eq!(group.shutdown(Duration::from_secs(5)).await, 0);
    }

    #[tokio::test]
    async fn a_child_group_ends_with_its_parent_but_not_the_other_way_round() {
        let parent = TaskGroup::new();
        let (first, second) = (parent.child(), parent.child());
        first.cancel();
        assert!(!parent.is_cancelled() && !second.is_cancelled());
        parent.cancel();
        assert!(second.is_cancelled());
    }

    #[tokio::test]
    async fn blocking_work_is_waited_for() {
        let group = TaskGroup::new();
        let work = group.spawn_blocking("work", || 7);
        assert_eq!(group.shutdown(Duration::from_secs(5)).await, 0);
        assert_eq!(work.await.unwrap(), 7);
    }
}
