//! Requirement classes: tasks that demand the same are decided together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::arena::{ClassKey, NodeKey, Slab};
use crate::model::Requirements;
use crate::queue::LaneKey;

/// Tasks with equal requirements.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) req: Arc<Requirements>,
    /// Live tasks of the class.
    pub(crate) uses: usize,
    /// Nodes that could run it, were they connected and free.
    pub(crate) nodes: BTreeSet<NodeKey>,
    /// Of these, the ones that take work at all now.
    pub(crate) live: usize,
    /// Lanes in which tasks of the class wait.
    pub(crate) lanes: BTreeSet<LaneKey>,
    /// Node chosen last, for taking turns.
    pub(crate) served: Option<NodeKey>,
}

/// All classes. One without tasks stays, since its like mostly comes back, until room is needed.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    slab: Slab<ClassKey, Class>,
    keys: BTreeMap<Arc<Requirements>, ClassKey>,
}

impl Classes {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn find(&self, req: &Requirements) -> Option<ClassKey> {
        self.keys.get(req).copied()
    }

    /// Classes in use and room for more: how many new ones fit under `limit`.
    pub(crate) fn room(&self, limit: usize) -> usize {
        let used = self.slab.iter().filter(|(_, class)| class.uses > 0).count();
        limit.saturating_sub(used)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn insert(
        &mut self,
        req: Requirements,
        nodes: BTreeSet<NodeKey>,
        live: usize,
    ) -> ClassKey {
        let req = Arc::new(req);
        let key = self.slab.insert(Class {
            req: Arc::clone(&req),
            uses: 0,
            nodes,
            live,
            lanes: BTreeSet::new(),
            served: None,
        });
        self.keys.insert(req, key);
        key
    }

    /// Drops classes without tasks; gives their keys.
    pub(crate) fn purge(&mut self) -> Vec<ClassKey> {
        let unused: Vec<ClassKey> = self
            .slab
            .iter()
            .filter(|(_, class)| class.uses == 0)
            .map(|(key, _)| key)
            .collect();
        for key in &unused {
            if let Some(class) = self.slab.remove(*key) {
                self.keys.remove(&class.req);
            }
        }
        unused
    }

    pub(crate) fn keys(&self) -> Vec<ClassKey> {
        self.slab.keys()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ClassKey, &Class)> {
        self.slab.iter()
    }
}

impl std::ops::Index<ClassKey> for Classes {
    type Output = Class;

    fn index(&self, key: ClassKey) -> &Class {
        &self.slab[key]
    }
}

impl std::ops::IndexMut<ClassKey> for Classes {
    fn index_mut(&mut self, key: ClassKey) -> &mut Class {
        &mut self.slab[key]
    }
}
