//! Dense storage: slots with small keys, and shared values that many tasks name by key.

use std::collections::BTreeMap;
use std::sync::Arc;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u32);

        impl From<u32> for $name {
            fn from(index: u32) -> Self {
                Self(index)
            }
        }

        impl From<$name> for u32 {
            fn from(key: $name) -> Self {
                key.0
            }
        }
    };
}

key!(
    /// A live task.
    TaskKey
);
key!(
    /// A known node.
    NodeKey
);
key!(
    /// A requirement class.
    ClassKey
);
key!(
    /// A shared policy.
    PolicyKey
);
key!(
    /// A user.
    UserKey
);

/// Values in slots; a freed slot is used again.
#[derive(Debug, Clone)]
pub(crate) struct Slab<K, T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    kind: std::marker::PhantomData<K>,
}

impl<K: From<u32> + Into<u32> + Copy, T> Slab<K, T> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            kind: std::marker::PhantomData,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> K {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = Some(value);
            return K::from(index);
        }
        // The callers' limits (1,000,000 tasks, 10,000 of the rest) keep this far below 2^32.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Some(value));
        K::from(index)
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let index: u32 = key.into();
        let value = self.slots.get_mut(index as usize)?.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let index: u32 = key.into();
        self.slots.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let index: u32 = key.into();
        self.slots.get_mut(index as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let value = slot.as_ref()?;
            Some((K::from(u32::try_from(index).ok()?), value))
        })
    }

    pub(crate) fn keys(&self) -> Vec<K> {
        self.iter().map(|(key, _)| key).collect()
    }
}

// A key is made by `insert` and dies with `remove`; holding one of a freed slot is a mistake in this crate that the
// simulation is there to find, so indexing asserts.
impl<K: From<u32> + Into<u32> + Copy, T> std::ops::Index<K> for Slab<K, T> {
    type Output = T;

    #[expect(
        clippy::expect_used,
        reason = "a stale key is a mistake in this crate, never input"
    )]
    fn index(&self, key: K) -> &T {
        self.get(key).expect("a key of a live slot")
    }
}

impl<K: From<u32> + Into<u32> + Copy, T> std::ops::IndexMut<K> for Slab<K, T> {
    #[expect(
        clippy::expect_used,
        reason = "a stale key is a mistake in this crate, never input"
    )]
    fn index_mut(&mut self, key: K) -> &mut T {
        self.get_mut(key).expect("a key of a live slot")
    }
}

/// Equal values stored once. Values that nobody uses stay, since they mostly come back, until `limit` is reached.
#[derive(Debug, Clone)]
pub(crate) struct Interner<K, T> {
    slab: Slab<K, (Arc<T>, u32)>,
    keys: BTreeMap<Arc<T>, K>,
}

impl<K: From<u32> + Into<u32> + Copy, T: Ord> Interner<K, T> {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, key: K) -> &Arc<T> {
        &self.slab[key].0
    }

    pub(crate) fn find(&self, value: &T) -> Option<K> {
        self.keys.get(value).copied()
    }

    /// The key of an equal value, used once more.
    pub(crate) fn acquire(&mut self, value: T, limit: usize) -> K {
        if let Some(key) = self.find(&value) {
            self.slab[key].1 += 1;
            return key;
        }
        if self.slab.len() >= limit {
            self.purge();
        }
        let value = Arc::new(value);
        let key = self.slab.insert((Arc::clone(&value), 1));
        self.keys.insert(value, key);
        key
    }

    pub(crate) fn release(&mut self, key: K) {
        let uses = &mut self.slab[key].1;
        *uses = uses.saturating_sub(1);
    }

    fn purge(&mut self) {
        let unused: Vec<K> = self
            .slab
            .iter()
            .filter(|(_, (_, uses))| *uses == 0)
            .map(|(key, _)| key)
            .collect();
        for key in unused {
            if let Some((value, _)) = self.slab.remove(key) {
                self.keys.remove(&value);
            }
        }
    }
}
