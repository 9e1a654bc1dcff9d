//! The enumerations of the wire as public words, and back.

use openclaw_common::status::{
    NodeStatus, OnLost, OnSleep, Priority, RetryOn, Strategy, TaskStatus, TaskType,
};
use openclaw_proto::v1;

/// A task's state; `None` for a state this build doesn't know.
pub fn task_status(wire: i32) -> Option<TaskStatus> {
    Some(match v1::TaskStatus::try_from(wire).ok()? {
        v1::TaskStatus::Unspecified => return None,
        v1::TaskStatus::Pending => TaskStatus::Pending,
        v1::TaskStatus::Scheduled => TaskStatus::Scheduled,
        v1::TaskStatus::Running => TaskStatus::Running,
        v1::TaskStatus::Completed => TaskStatus::Completed,
        v1::TaskStatus::Failed => TaskStatus::Failed,
        v1::TaskStatus::Cancelled => TaskStatus::Cancelled,
        v1::TaskStatus::Timeout => TaskStatus::Timeout,
    })
}

/// A node's state; `None` for a state this build doesn't know.
pub fn node_status(wire: i32) -> Option<NodeStatus> {
    Some(match v1::NodeStatus::try_from(wire).ok()? {
        v1::NodeStatus::Unspecified => return None,
        v1::NodeStatus::Online => NodeStatus::Online,
        v1::NodeStatus::Busy => NodeStatus::Busy,
        v1::NodeStatus::Offline => NodeStatus::Offline,
        v1::NodeStatus::Maintenance => NodeStatus::Maintenance,
        v1::NodeStatus::Error => NodeStatus::Error,
    })
}

/// A task's type, the default where none was given.
pub const fn task_type_of(wire: i32) -> TaskType {
    match wire {
        1 => TaskType::Interactive,
        3 => TaskType::ComputeIntensive,
        4 => TaskType::IoIntensive,
        5 => TaskType::Daemon,
        _ => TaskType::Batch,
    }
}

/// A task's priority, the default where none was given.
pub(super) const fn priority_of(wire: i32) -> Priority {
    match wire {
        1 => Priority::Critical,
        2 => Priority::High,
        4 => Priority::Low,
        _ => Priority::Normal,
    }
}

pub(super) const fn strategy_of(wire: i32) -> Option<Strategy> {
    match wire {
        1 => Some(Strategy::RoundRobin),
        2 => Some(Strategy::LeastTasks),
        3 => Some(Strategy::BestFit),
        4 => Some(Strategy::Random),
        5 => Some(Strategy::Affinity),
        _ => None,
    }
}

pub(super) const fn on_lost_of(wire: i32) -> Option<OnLost> {
    match wire {
        1 => Some(OnLost::Retry),
        2 => Some(OnLost::Fail),
        _ => None,
    }
}

pub(super) const fn on_sleep_of(wire: i32) -> OnSleep {
    match wire {
        2 => OnSleep::Requeue,
        _ => OnSleep::Hold,
    }
}

pub(super) const fn retry_on_of(wire: i32) -> Option<RetryOn> {
    match wire {
        1 => Some(RetryOn::Exit),
        2 => Some(RetryOn::Signal),
        3 => Some(RetryOn::Timeout),
        4 => Some(RetryOn::Output),
        _ => None,
    }
}

/// Words on their way to the wire.
pub mod to_wire {
    use super::{NodeStatus, Priority, Strategy, TaskStatus, TaskType, v1};

    /// A task's state.
    pub const fn task_status(word: TaskStatus) -> v1::TaskStatus {
        match word {
            TaskStatus::Pending => v1::TaskStatus::Pending,
            TaskStatus::Scheduled => v1::TaskStatus::Scheduled,
            TaskStatus::Running => v1::TaskStatus::Running,
            TaskStatus::Completed => v1::TaskStatus::Completed,
            TaskStatus::Failed => v1::TaskStatus::Failed,
            TaskStatus::Cancelled => v1::TaskStatus::Cancelled,
            TaskStatus::Timeout => v1::TaskStatus::Timeout,
        }
    }

    /// A node's state.
    pub const fn node_status(word: NodeStatus) -> v1::NodeStatus {
        match word {
            NodeStatus::Online => v1::NodeStatus::Online,
            NodeStatus::Busy => v1::NodeStatus::Busy,
            NodeStatus::Offline => v1::NodeStatus::Offline,
            NodeStatus::Maintenance => v1::NodeStatus::Maintenance,
            NodeStatus::Error => v1::NodeStatus::Error,
        }
    }

    /// A task's type.
    pub const fn task_type(word: TaskType) -> v1::TaskType {
        match word {
            TaskType::Interactive => v1::TaskType::Interactive,
            TaskType::Batch => v1::TaskType::Batch,
            TaskType::ComputeIntensive => v1::TaskType::ComputeIntensive,
            TaskType::IoIntensive => v1::TaskType::IoIntensive,
            TaskType::Daemon => v1::TaskType::Daemon,
        }
    }

    /// A task's priority.
    pub const fn priority(word: Priority) -> v1::TaskPriority {
        match word {
            Priority::Critical => v1::TaskPriority::Critical,
            Priority::High => v1::TaskPriority::High,
            Priority::Normal => v1::TaskPriority::Normal,
            Priority::Low => v1::TaskPriority::Low,
        }
    }

    /// How a node is chosen.
    pub const fn strategy(word: Strategy) -> v1::Strategy {
        match word {
            Strategy::RoundRobin => v1::Strategy::RoundRobin,
            Strategy::LeastTasks => v1::Strategy::LeastTasks,
            Strategy::BestFit => v1::Strategy::BestFit,
            Strategy::Random => v1::Strategy::Random,
            Strategy::Affinity => v1::Strategy::Affinity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_from_the_wire() {
        for word in TaskStatus::ALL {
            assert_eq!(task_status(to_wire::task_status(*word) as i32), Some(*word));
        }
        for word in NodeStatus::ALL {
            assert_eq!(node_status(to_wire::node_status(*word) as i32), Some(*word));
        }
        for word in TaskType::ALL {
            assert_eq!(task_type_of(to_wire::task_type(*word) as i32), *word);
        }
        for word in Priority::ALL {
            assert_eq!(priority_of(to_wire::priority(*word) as i32), *word);
        }
        for word in Strategy::ALL {
            assert_eq!(strategy_of(to_wire::strategy(*word) as i32), Some(*word));
        }
    }

    #[test]
    fn what_a_later_version_says_is_not_guessed() {
        assert_eq!(task_status(99), None);
        assert_eq!(task_status(0), None);
        assert_eq!(node_status(99), None);
        assert_eq!(strategy_of(99), None);
    }
}
