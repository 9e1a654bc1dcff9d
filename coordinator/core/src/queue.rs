//! Tasks that could be placed: by priority, user, lane and requirement class, each in order of acceptance.
//!
//! Cost does not grow with the number of waiting tasks: a pick looks at the first task of each class only, and
//! classes that no connected node could take are parked, out of the way.

use std::collections::{BTreeMap, BTreeSet};

use openclaw_common::status::{Priority, TaskType};

use crate::arena::{ClassKey, TaskKey, UserKey};

const LEVELS: usize = 4;
const LANES: usize = 2;

/// Where a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    level: u8,
    user: UserKey,
    lane: u8,
}

impl LaneKey {
    pub(crate) fn of(priority: Priority, kind: TaskType, user: UserKey) -> Self {
        Self {
            level: priority as u8,
            user,
            lane: u8::from(kind != TaskType::Interactive),
        }
    }
}

/// One line of tasks of one user.
#[derive(Debug, Clone, Default)]
struct Lane {
    classes: BTreeMap<ClassKey, BTreeSet<(u64, TaskKey)>>,
    /// First task of each class that is not parked.
    heads: BTreeSet<(u64, ClassKey)>,
}

impl Lane {
    fn head(&self, class: ClassKey) -> Option<u64> {
        self.classes.get(&class)?.first().map(|(seq, _)| *seq)
    }
}

#[derive(Debug, Clone, Default)]
struct Level {
    users: BTreeMap<UserKey, [Lane; LANES]>,
    /// The user served last; the next one comes first.
    served: Option<UserKey>,
}

/// The task to place next, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick<N> {
    pub(crate) task: TaskKey,
    pub(crate) node: N,
}

/// All tasks that could be placed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    levels: [Level; LEVELS],
    len: usize,
}

impl Queue {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn contains(&self, at: LaneKey, class: ClassKey, seq: u64, task: TaskKey) -> bool {
        self.lane(at)
            .and_then(|lane| lane.classes.get(&class))
            .is_some_and(|tasks| tasks.contains(&(seq, task)))
    }

    fn lane(&self, at: LaneKey) -> Option<&Lane> {
        Some(&self.levels[usize::from(at.level)].users.get(&at.user)?[usize::from(at.lane)])
    }

    /// Adds a task; tells whether its class is new in the lane.
    pub(crate) fn insert(
        &mut self,
        at: LaneKey,
        class: ClassKey,
        seq: u64,
        task: TaskKey,
        parked: bool,
    ) -> bool {
        let users = &mut self.levels[usize::from(at.level)].users;
        let lane = &mut users.entry(at.user).or_default()[usize::from(at.lane)];
        let before = lane.head(class);
        if !lane.classes.entry(class).or_default().insert((seq, task)) {
            return false;
        }
        self.len += 1;
        let earlier = before.is_none_or(|head| seq < head);
        if earlier && !parked {
            if let Some(head) = before {
                lane.heads.remove(&(head, class));
            }
            lane.heads.insert((seq, class));
        }
        before.is_none()
    }

    /// Takes a task out; tells whether its class has left the lane.
    pub(crate) fn remove(&mut self, at: LaneKey, class: ClassKey, seq: u64, task: TaskKey) -> bool {
        let level = &mut self.levels[usize::from(at.level)];
        let Some(lanes) = level.users.get_mut(&at.user) else {
            return false;
        };
        let lane = &mut lanes[usize::from(at.lane)];
        let Some(tasks) = lane.classes.get_mut(&class) else {
            return false;
        };
        if !tasks.remove(&(seq, task)) {
            return false;
        }
        self.len -= 1;
        let next = tasks.first().map(|(seq, _)| *seq);
        // Heads hold the class only if it is not parked; then its next task takes the place.
        if lane.heads.remove(&(seq, class))
            && let Some(next) = next
        {
            lane.heads.insert((next, class));
        }
        if next.is_none() {
            lane.classes.remove(&class);
            if lanes.iter().all(|lane| lane.classes.is_empty()) {
                level.users.remove(&at.user);
            }
        }
        next.is_none()
    }

    /// Parks a class in a lane, or brings it back.
    pub(crate) fn park(&mut self, at: LaneKey, class: ClassKey, parked: bool) {
        let Some(lanes) = self.levels[usize::from(at.level)].users.get_mut(&at.user) else {
            return;
        };
        let lane = &mut lanes[usize::from(at.lane)];
        if let Some(head) = lane.head(class) {
            if parked {
                lane.heads.remove(&(head, class));
            } else {
                lane.heads.insert((head, class));
            }
        }
    }

    /// The next task for which `place` finds a node: highest level first; within it users in turn; of a user
    /// interactive tasks first, then in order of acceptance, passing over classes without a fitting node.
    pub(crate) fn pick<N>(
        &mut self,
        mut place: impl FnMut(ClassKey) -> Option<N>,
    ) -> Option<Pick<N>> {
        for level in &mut self.levels {
            let (after, upto) = match level.served {
                Some(user) => (user.0 + 1, user.0 + 1),
                None => (0, 0),
            };
            let users = level
                .users
                .range(UserKey(after)..)
                .chain(level.users.range(..UserKey(upto)));
            for (user, lanes) in users {
                if let Some(pick) = lanes.iter().find_map(|lane| first_fit(lane, &mut place)) {
                    level.served = Some(*user);
                    return Some(pick);
                }
            }
        }
        None
    }
}

fn first_fit<N>(lane: &Lane, place: &mut impl FnMut(ClassKey) -> Option<N>) -> Option<Pick<N>> {
    lane.heads.iter().find_map(|(_, class)| {
        let node = place(*class)?;
        let (_, task) = *lane.classes.get(class)?.first()?;
        Some(Pick { task, node })
    })
}

#[cfg(test)]
mod tests {
    use openclaw_common::status::{Priority, TaskType};

    use super::{LaneKey, Queue};
    use crate::arena::{ClassKey, TaskKey, UserKey};

    fn at(priority: Priority, user: u32) -> LaneKey {
        LaneKey::of(priority, TaskType::Batch, UserKey(user))
    }

    fn next(queue: &mut Queue) -> Option<u32> {
        queue.pick(|_| Some(())).map(|pick| pick.task.0)
    }

    #[test]
    fn users_of_a_level_take_turns() {
        let mut queue = Queue::default();
        let lanes = [at(Priority::Normal, 0), at(Priority::Normal, 1)];
        for (seq, user) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
            queue.insert(
                lanes[user],
                ClassKey(0),
                seq,
                TaskKey(u32::try_from(seq).unwrap()),
                false,
            );
        }
        let mut order = Vec::new();
        while let Some(task) = next(&mut queue) {
            order.push(task);
            let user = usize::from(task == 4);
            queue.remove(lanes[user], ClassKey(0), u64::from(task), TaskKey(task));
        }
        assert_eq!(order, [1, 4, 2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_higher_level_always_goes_first_and_interactive_before_batch() {
        let mut queue = Queue::default();
        queue.insert(at(Priority::Low, 0), ClassKey(0), 1, TaskKey(1), false);
        queue.insert(at(Priority::Normal, 0), ClassKey(0), 2, TaskKey(2), false);
        let interactive = LaneKey::of(Priority::Normal, TaskType::Interactive, UserKey(0));
        queue.insert(interactive, ClassKey(0), 3, TaskKey(3), false);
        assert_eq!(next(&mut queue), Some(3));
        queue.remove(interactive, ClassKey(0), 3, TaskKey(3));
        assert_eq!(next(&mut queue), Some(2));
    }

    #[test]
    fn a_class_without_a_node_holds_up_nobody() {
        let mut queue = Queue::default();
        queue.insert(at(Priority::Normal, 0), ClassKey(0), 1, TaskKey(1), false);
        queue.insert(at(Priority::Normal, 0), ClassKey(1), 2, TaskKey(2), false);
        let pick = queue
            .pick(|class| (class == ClassKey(1)).then_some(()))
            .unwrap();
        assert_eq!(pick.task, TaskKey(2));
    }

    #[test]
    fn a_parked_class_comes_back_with_its_first_task() {
        let mut queue = Queue::default();
        let lane = at(Priority::Normal, 0);
        queue.insert(lane, ClassKey(0), 5, TaskKey(5), true);
        queue.insert(lane, ClassKey(0), 3, TaskKey(3), true);
        assert_eq!(next(&mut queue), None);
        queue.park(lane, ClassKey(0), false);
        assert_eq!(next(&mut queue), Some(3));
        queue.park(lane, ClassKey(0), true);
        assert_eq!(next(&mut queue), None);
    }
}
