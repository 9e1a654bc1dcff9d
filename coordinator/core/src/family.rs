//! Tasks submitted from inside other tasks: how deep and how many, so that a task which submits itself comes to an end.

use std::collections::BTreeMap;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;

use crate::core::Core;
use crate::effect::Refusal;
use crate::record::Lineage;

/// Descendants of each task that has live ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Families {
    by_root: BTreeMap<TaskId, Family>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Family {
    live: u32,
    /// Accepted since the family is known; a restart counts the live ones only.
    total: u32,
}

impl Families {
    pub(crate) fn total(&self, root: TaskId) -> u32 {
        self.by_root.get(&root).map_or(0, |family| family.total)
    }

    pub(crate) fn add(&mut self, root: TaskId) {
        let family = self.by_root.entry(root).or_default();
        family.live += 1;
        family.total += 1;
    }

    /// A task is final. A family is remembered until its root and the last descendant are.
    pub(crate) fn leave(&mut self, id: TaskId, lineage: Option<Lineage>, root_lives: bool) {
        let root = lineage.map_or(id, |lineage| lineage.root);
        if let Some(family) = self.by_root.get_mut(&root) {
            family.live -= u32::from(lineage.is_some());
            if family.live == 0 && !root_lives {
                self.by_root.remove(&root);
            }
        }
    }

    /// Live descendants over all families, for `sanity_check`.
    pub(crate) fn live(&self) -> u32 {
        self.by_root.values().map(|family| family.live).sum()
    }
}

impl Core {
    /// The place of a new child, or why there is none. `planned` are children of the same root in the same request.
    pub(crate) fn lineage(
        &self,
        parent: TaskId,
        planned: &BTreeMap<TaskId, u32>,
    ) -> Result<Lineage, Refusal> {
        let refuse = |detail: String| Refusal {
            code: ErrorCode::FailedPrecondition,
            detail,
            index: None,
        };
        let Some(key) = self.by_id.get(&parent) else {
            return Err(refuse(format!(
                "parent: {parent} is not running any more; submit without `parent`"
            )));
        };
        let above = self.tasks[*key].lineage.as_deref();
        let lineage = Lineage {
            root: above.map_or(parent, |above| above.root),
            depth: above.map_or(1, |above| above.depth + 1),
        };
        if lineage.depth > self.settings.max_depth {
            return Err(refuse(format!(
                "parent: tasks submit each other {} deep; the limit is {}",
                lineage.depth, self.settings.max_depth
            )));
        }
        let root = lineage.root;
        let descendants = self.families.total(root) + planned.get(&root).copied().unwrap_or(0);
        if descendants >= self.settings.max_descendants {
            return Err(refuse(format!(
                "parent: {root} has {descendants} descendants; the limit is {}",
                self.settings.max_descendants
            )));
        }
        Ok(lineage)
    }
}
