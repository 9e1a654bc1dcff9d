//! Who follows which task, and what they are told.
//!
//! Owns: the followers. A follower that doesn't keep up loses changes and is told that it did; it then reads the state
//! anew. Never: waits for a follower.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openclaw_common::id::TaskId;
use openclaw_core::effect::Notice;
use openclaw_core::record::FinalRow;
use tokio::sync::mpsc;

/// Changes kept for one follower.
const QUEUED: usize = 256;

/// A change of a task.
#[derive(Debug, Clone)]
pub struct Change {
    /// What changed.
    pub notice: Notice,
    /// The task's end, when it has come and was at hand; otherwise the store has it.
    pub end: Option<Arc<FinalRow>>,
}

/// What a follower receives.
#[derive(Debug, Clone)]
pub enum Followed {
    /// A task changed.
    Change(Change),
    /// Changes were lost: read the state of the tasks anew.
    Gap,
    /// This run of the coordinator's core is over: what is not final must be followed anew.
    Over,
}

/// All followers. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Followed tasks; lets the driver skip the lock when there are none.
    followed: AtomicUsize,
    by_task: Mutex<HashMap<TaskId, Vec<Follower>>>,
}

#[derive(Debug, Clone)]
struct Follower {
    queue: mpsc::Sender<Change>,
    lost: Arc<AtomicBool>,
}

/// Follows some tasks until dropped.
#[derive(Debug)]
pub struct Following {
    hub: Hub,
    tasks: Vec<TaskId>,
    queue: mpsc::Receiver<Change>,
    lost: Arc<AtomicBool>,
}

impl Hub {
    /// Follows these tasks from now on; they need not exist yet.
    pub fn follow(&self, tasks: Vec<TaskId>) -> Following {
        let (sender, queue) = mpsc::channel(QUEUED);
        let lost = Arc::new(AtomicBool::new(false));
        let mut by_task = self.lock();
        for task in &tasks {
            by_task.entry(*task).or_default().push(Follower {
                queue: sender.clone(),
                lost: Arc::clone(&lost),
            });
        }
        self.inner.followed.store(by_task.len(), Ordering::SeqCst);
        drop(by_task);
        Following {
            hub: self.clone(),
            tasks,
            queue,
            lost,
        }
    }

    /// Whether nobody follows anything.
    pub fn is_idle(&self) -> bool {
        self.inner.followed.load(Ordering::SeqCst) == 0
    }

    /// Of these tasks, those that somebody follows.
    pub(crate) fn followed<'a, T>(
        &self,
        tasks: impl Iterator<Item = (TaskId, &'a T)>,
    ) -> Vec<&'a T> {
        if self.is_idle() {
            return Vec::new();
        }
        let by_task = self.lock();
        tasks
            .filter(|(id, _)| by_task.contains_key(id))
            .map(|(_, value)| value)
            .collect()
    }

    /// Tells the followers of each task, in order. `ends` holds the ends that are at hand.
    pub(crate) fn publish(
        &self,
        notices: impl Iterator<Item = Notice>,
        ends: &HashMap<TaskId, Arc<FinalRow>>,
    ) {
        if self.is_idle() {
            return;
        }
        let by_task = self.lock();
        for notice in notices {
            let Some(followers) = by_task.get(&notice.task) else {
                continue;
            };
            let end = notice
                .status
                .is_final()
                .then(|| ends.get(&notice.task).map(Arc::clone))
                .flatten();
            let change = Change { notice, end };
            for follower in followers {
                follower.tell(change.clone());
            }
        }
    }

    /// Ends all followings: the core whose tasks they followed is gone.
    pub(crate) fn end_run(&self) {
        let followers = std::mem::take(&mut *self.lock());
        self.inner.followed.store(0, Ordering::SeqCst);
        // Dropping the senders is what tells them.
        drop(followers);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Vec<Follower>>> {
        // Nothing between lock and unlock can panic; a poisoned map is still a map.
        self.inner
            .by_task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    fn tell(&self, change: Change) {
        if self.queue.try_send(change).is_err() {
            self.lost.store(true, Ordering::SeqCst);
        }
    }
}

impl Following {
    /// As `next`, but of several changes that wait only the last one: for those who follow one task and want to know
    /// where it stands, not how it came there.
    pub async fn latest(&mut self) -> Followed {
        let mut latest = self.next().await;
        while let Followed::Change(_) = latest {
            match self.queue.try_recv() {
                Ok(change) => latest = Followed::Change(change),
                Err(_) => break,
            }
        }
        latest
    }

    /// The next thing to know. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Followed {
        match self.queue.try_recv() {
            Ok(change) => return Followed::Change(change),
            Err(mpsc::error::TryRecvError::Disconnected) => return Followed::Over,
            Err(mpsc::error::TryRecvError::Empty) => {}
        }
        // Only once the queue is empty: what was lost is newer than everything that was in it.
        if self.lost.swap(false, Ordering::SeqCst) {
            return Followed::Gap;
        }
        self.queue
            .recv()
            .await
            .map_or(Followed::Over, Followed::Change)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut by_task = self.hub.lock();
        for task in &self.tasks {
            let Some(followers) = by_task.get_mut(task) else {
                continue;
            };
            followers.retain(|follower| !Arc::ptr_eq(&follower.lost, &self.lost));
            if followers.is_empty() {
                by_task.remove(task);
            }
        }
        self.hub
            .inner
            .followed
            .store(by_task.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use openclaw_common::code::ReasonCode;
    use openclaw_common::id::TaskId;
    use openclaw_common::status::TaskStatus;
    use openclaw_core::effect::Notice;

    use super::{Followed, Hub, QUEUED};

    fn notice(task: u128, attempt: u32) -> Notice {
        Notice {
            task: TaskId(task),
            status: TaskStatus::Pending,
            code: ReasonCode::Priority,
            attempt,
            node: None,
        }
    }

    fn publish(hub: &Hub, notices: Vec<Notice>) {
        hub.publish(notices.into_iter(), &HashMap::new());
    }

    #[tokio::test]
    async fn a_follower_hears_of_its_tasks_only_and_in_order() {
        let hub = Hub::default();
        let mut following = hub.follow(vec![TaskId(1)]);
        publish(&hub, vec![notice(2, 1), notice(1, 1), notice(1, 2)]);
        for attempt in [1, 2] {
            let Followed::Change(change) = following.next().await else {
                panic!("a change was expected");
            };
            assert_eq!(
                (change.notice.task, change.notice.attempt),
                (TaskId(1), attempt)
            );
        }
    }

    #[tokio::test]
    async fn a_slow_follower_is_told_of_the_gap_after_what_it_kept() {
        let hub = Hub::default();
        let mut following = hub.follow(vec![TaskId(1)]);
        let many = (0..=u32::try_from(QUEUED).unwrap())
            .map(|attempt| notice(1, attempt))
            .collect();
        publish(&hub, many);
        for _ in 0..QUEUED {
            assert!(matches!(following.next().await, Followed::Change(_)));
        }
        assert!(matches!(following.next().await, Followed::Gap));
        publish(&hub, vec![notice(1, 9)]);
        assert!(matches!(following.next().await, Followed::Change(_)));
    }

    #[tokio::test]
    async fn nothing_is_kept_for_followers_that_left() {
        let hub = Hub::default();
        drop(hub.follow(vec![TaskId(1), TaskId(2)]));
        assert!(hub.is_idle());
        let mut following = hub.follow(vec![TaskId(3)]);
        assert!(!hub.is_idle());
        hub.end_run();
        assert!(matches!(following.next().await, Followed::Over));
    }
}
