//! Specifications of tasks that were just submitted, so that most offers need no read from the store.
//!
//! The oldest ones stay: tasks leave the queue in order. What has waited long makes room, for it may never be placed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use openclaw_common::id::TaskId;
use openclaw_common::time::Mono;

/// Bytes kept, bookkeeping included.
const CAPACITY: usize = 64 * 1024 * 1024;
/// What one entry costs beside its content.
const OVERHEAD: usize = 160;
/// After this long an entry makes room for newer ones.
const STALE_MS: u64 = 30_000;

/// The cache. Shared by the driver, which fills it, and the writers of streams, which empty it.
#[derive(Debug, Default)]
pub(crate) struct SpecCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    specs: HashMap<TaskId, Bytes>,
    /// In order of arrival; ids that were taken since are skipped.
    arrivals: VecDeque<(TaskId, Mono)>,
    bytes: usize,
}

impl SpecCache {
    /// Remembers these; what finds no room is left to the store.
    pub(crate) fn add(&self, now: Mono, specs: impl Iterator<Item = (TaskId, Bytes)>) {
        let mut inner = self.lock();
        for (task, spec) in specs {
            inner.add(now, task, spec);
        }
    }

    /// Takes the specifications of these tasks out; `None` where the store must be asked.
    pub(crate) fn take(&self, tasks: impl Iterator<Item = TaskId>) -> Vec<Option<Bytes>> {
        let mut inner = self.lock();
        tasks.map(|task| inner.take(task)).collect()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing between lock and unlock can panic; a poisoned cache is still a cache.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, now: Mono, task: TaskId, spec: Bytes) {
        let cost = spec.len() + OVERHEAD;
        while self.bytes + cost > CAPACITY {
            let Some((oldest, since)) = self.arrivals.front().copied() else {
                return;
            };
            if self.specs.contains_key(&oldest) && now.since(since) < STALE_MS {
                return;
            }
            self.arrivals.pop_front();
            self.take(oldest);
        }
        if self.specs.insert(task, spec).is_none() {
            self.bytes += cost;
            self.arrivals.push_back((task, now));
        }
    }

    fn take(&mut self, task: TaskId) -> Option<Bytes> {
        let spec = self.specs.remove(&task)?;
        self.bytes -= spec.len() + OVERHEAD;
        // Ids already taken must not pile up in front.
        while self
            .arrivals
            .front()
            .is_some_and(|(id, _)| !self.specs.contains_key(id))
        {
            self.arrivals.pop_front();
        }
        // Nor behind one that is never taken.
        if self.arrivals.len() > 1_024 && self.arrivals.len() > self.specs.len() * 2 {
            self.arrivals.retain(|(id, _)| self.specs.contains_key(id));
        }
        Some(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big() -> Bytes {
        Bytes::from(vec![0; CAPACITY / 4])
    }

    fn take(cache: &SpecCache, task: u128) -> bool {
        cache.take(std::iter::once(TaskId(task)))[0].is_some()
    }

    #[test]
    fn what_was_added_is_taken_once() {
        let cache = SpecCache::default();
        cache.add(
            Mono(0),
            std::iter::once((TaskId(1), Bytes::from_static(b"x"))),
        );
        assert!(take(&cache, 1));
        assert!(!take(&cache, 1));
        assert_eq!(cache.lock().bytes, 0);
        assert!(cache.lock().arrivals.is_empty());
    }

    #[test]
    fn the_oldest_stay_until_they_are_stale() {
        let cache = SpecCache::default();
        cache.add(Mono(0), (0..5).map(|task| (TaskId(task), big())));
        assert!(!take(&cache, 4), "no room while the older ones are fresh");
        cache.add(Mono(STALE_MS), std::iter::once((TaskId(5), big())));
        assert!(take(&cache, 5));
        assert!(!take(&cache, 0), "it made room");
        assert!(take(&cache, 1));
    }

    #[test]
    fn ids_that_were_taken_do_not_pile_up_behind_one_that_stays() {
        let cache = SpecCache::default();
        for task in 0..10_000 {
            cache.add(
                Mono(0),
                std::iter::once((TaskId(task), Bytes::from_static(b"x"))),
            );
            if task > 0 {
                assert!(take(&cache, task));
            }
        }
        assert!(cache.lock().arrivals.len() <= 1_100);
    }
}
