//! Words of the wire against words of the core: one function each way for every enumeration.

use openclaw_common::status::{
    NodeStatus, OnLost, OnSleep, Outcome, Priority, RetryOn, Strategy, TaskStatus, TaskType,
};
use openclaw_core::effect::Verdict;
use openclaw_core::model::{Executor, HeldState};
use openclaw_proto::v1;

/// A task state for the wire.
pub const fn task_status(status: TaskStatus) -> v1::TaskStatus {
    match status {
        TaskStatus::Pending => v1::TaskStatus::Pending,
        TaskStatus::Scheduled => v1::TaskStatus::Scheduled,
        TaskStatus::Running => v1::TaskStatus::Running,
        TaskStatus::Completed => v1::TaskStatus::Completed,
        TaskStatus::Failed => v1::TaskStatus::Failed,
        TaskStatus::Cancelled => v1::TaskStatus::Cancelled,
        TaskStatus::Timeout => v1::TaskStatus::Timeout,
    }
}

/// A task state from the wire; `None` for "any".
pub const fn from_task_status(status: v1::TaskStatus) -> Option<TaskStatus> {
    match status {
        v1::TaskStatus::Unspecified => None,
        v1::TaskStatus::Pending => Some(TaskStatus::Pending),
        v1::TaskStatus::Scheduled => Some(TaskStatus::Scheduled),
        v1::TaskStatus::Running => Some(TaskStatus::Running),
        v1::TaskStatus::Completed => Some(TaskStatus::Completed),
        v1::TaskStatus::Failed => Some(TaskStatus::Failed),
        v1::TaskStatus::Cancelled => Some(TaskStatus::Cancelled),
        v1::TaskStatus::Timeout => Some(TaskStatus::Timeout),
    }
}

/// A node state for the wire.
pub const fn node_status(status: NodeStatus) -> v1::NodeStatus {
    match status {
        NodeStatus::Online => v1::NodeStatus::Online,
        NodeStatus::Busy => v1::NodeStatus::Busy,
        NodeStatus::Offline => v1::NodeStatus::Offline,
        NodeStatus::Maintenance => v1::NodeStatus::Maintenance,
        NodeStatus::Error => v1::NodeStatus::Error,
    }
}

/// A node state from the wire; `None` for "any".
pub const fn from_node_status(status: v1::NodeStatus) -> Option<NodeStatus> {
    match status {
        v1::NodeStatus::Unspecified => None,
        v1::NodeStatus::Online => Some(NodeStatus::Online),
        v1::NodeStatus::Busy => Some(NodeStatus::Busy),
        v1::NodeStatus::Offline => Some(NodeStatus::Offline),
        v1::NodeStatus::Maintenance => Some(NodeStatus::Maintenance),
        v1::NodeStatus::Error => Some(NodeStatus::Error),
    }
}

/// A kind of work; unspecified is `batch`.
pub const fn from_task_type(kind: v1::TaskType) -> TaskType {
    match kind {
        v1::TaskType::Interactive => TaskType::Interactive,
        v1::TaskType::Unspecified | v1::TaskType::Batch => TaskType::Batch,
        v1::TaskType::ComputeIntensive => TaskType::ComputeIntensive,
        v1::TaskType::IoIntensive => TaskType::IoIntensive,
        v1::TaskType::Daemon => TaskType::Daemon,
    }
}

/// A kind of work for the wire.
pub const fn task_type(kind: TaskType) -> v1::TaskType {
    match kind {
        TaskType::Interactive => v1::TaskType::Interactive,
        TaskType::Batch => v1::TaskType::Batch,
        TaskType::ComputeIntensive => v1::TaskType::ComputeIntensive,
        TaskType::IoIntensive => v1::TaskType::IoIntensive,
        TaskType::Daemon => v1::TaskType::Daemon,
    }
}

/// A priority; unspecified is `normal`.
pub const fn from_priority(priority: v1::TaskPriority) -> Priority {
    match priority {
        v1::TaskPriority::Critical => Priority::Critical,
        v1::TaskPriority::High => Priority::High,
        v1::TaskPriority::Unspecified | v1::TaskPriority::Normal => Priority::Normal,
        v1::TaskPriority::Low => Priority::Low,
    }
}

/// A priority for the wire.
pub const fn priority(priority: Priority) -> v1::TaskPriority {
    match priority {
        Priority::Critical => v1::TaskPriority::Critical,
        Priority::High => v1::TaskPriority::High,
        Priority::Normal => v1::TaskPriority::Normal,
        Priority::Low => v1::TaskPriority::Low,
    }
}

/// A strategy; unspecified is the cluster's.
pub const fn from_strategy(strategy: v1::Strategy) -> Option<Strategy> {
    match strategy {
        v1::Strategy::Unspecified => None,
        v1::Strategy::RoundRobin => Some(Strategy::RoundRobin),
        v1::Strategy::LeastTasks => Some(Strategy::LeastTasks),
        v1::Strategy::BestFit => Some(Strategy::BestFit),
        v1::Strategy::Random => Some(Strategy::Random),
        v1::Strategy::Affinity => Some(Strategy::Affinity),
    }
}

/// What a lost node means; unspecified is `retry`.
pub const fn from_on_lost(on_lost: v1::OnLost) -> OnLost {
    match on_lost {
        v1::OnLost::Unspecified | v1::OnLost::Retry => OnLost::Retry,
        v1::OnLost::Fail => OnLost::Fail,
    }
}

/// What a sleeping node means; unspecified is `hold`.
pub const fn from_on_sleep(on_sleep: v1::OnSleep) -> OnSleep {
    match on_sleep {
        v1::OnSleep::Unspecified | v1::OnSleep::Hold => OnSleep::Hold,
        v1::OnSleep::Requeue => OnSleep::Requeue,
    }
}

/// A kind of failure; unspecified means nothing.
pub const fn from_retry_on(kind: v1::RetryOn) -> Option<RetryOn> {
    match kind {
        v1::RetryOn::Unspecified => None,
        v1::RetryOn::Exit => Some(RetryOn::Exit),
        v1::RetryOn::Signal => Some(RetryOn::Signal),
        v1::RetryOn::Timeout => Some(RetryOn::Timeout),
        v1::RetryOn::Output => Some(RetryOn::Output),
    }
}

/// How an attempt ended; unspecified means nothing.
pub const fn from_outcome(outcome: v1::Outcome) -> Option<Outcome> {
    match outcome {
        v1::Outcome::Unspecified => None,
        v1::Outcome::Succeeded => Some(Outcome::Succeeded),
        v1::Outcome::Exit => Some(Outcome::Exit),
        v1::Outcome::Signal => Some(Outcome::Signal),
        v1::Outcome::Timeout => Some(Outcome::Timeout),
        v1::Outcome::ProgressTimeout => Some(Outcome::ProgressTimeout),
        v1::Outcome::BadOutput => Some(Outcome::BadOutput),
        v1::Outcome::Killed => Some(Outcome::Killed),
        v1::Outcome::SpawnFailed => Some(Outcome::SpawnFailed),
        v1::Outcome::HandedBack => Some(Outcome::HandedBack),
        v1::Outcome::WorkerDied => Some(Outcome::WorkerDied),
    }
}

/// How far a held attempt is; unspecified means nothing.
pub const fn from_lease_state(state: v1::LeaseState) -> Option<HeldState> {
    match state {
        v1::LeaseState::Unspecified => None,
        v1::LeaseState::Queued => Some(HeldState::Queued),
        v1::LeaseState::Running => Some(HeldState::Running),
        v1::LeaseState::Finished => Some(HeldState::Finished),
    }
}

/// How a skill is run; unknown to this version means nothing.
pub const fn from_executor(executor: v1::SkillExecutor) -> Option<Executor> {
    match executor {
        v1::SkillExecutor::Unspecified => None,
        v1::SkillExecutor::Command => Some(Executor::Command),
        v1::SkillExecutor::Builtin => Some(Executor::Builtin),
        v1::SkillExecutor::Agent => Some(Executor::Agent),
    }
}

/// How a skill is run, for the wire.
pub const fn executor(executor: Executor) -> v1::SkillExecutor {
    match executor {
        Executor::Command => v1::SkillExecutor::Command,
        Executor::Builtin => v1::SkillExecutor::Builtin,
        Executor::Agent => v1::SkillExecutor::Agent,
    }
}

/// What to do with a lease, for the wire: the action, and whether the outcome is wanted no more.
pub const fn verdict(verdict: Verdict) -> (v1::VerdictAction, bool) {
    match verdict {
        Verdict::Resume => (v1::VerdictAction::Resume, false),
        Verdict::Kill => (v1::VerdictAction::Kill, false),
        Verdict::KillAndForget => (v1::VerdictAction::Kill, true),
        Verdict::SendResult => (v1::VerdictAction::SendResult, false),
        Verdict::Forget => (v1::VerdictAction::Forget, false),
    }
}

#[cfg(test)]
mod tests {
    use openclaw_common::status::{NodeStatus, Priority, TaskStatus, TaskType};

    use super::*;

    #[test]
    fn words_survive_both_ways() {
        for status in TaskStatus::ALL {
            assert_eq!(from_task_status(task_status(*status)), Some(*status));
        }
        for status in NodeStatus::ALL {
            assert_eq!(from_node_status(node_status(*status)), Some(*status));
        }
        for kind in TaskType::ALL {
            assert_eq!(from_task_type(task_type(*kind)), *kind);
        }
        for level in Priority::ALL {
            assert_eq!(from_priority(priority(*level)), *level);
        }
    }

    #[test]
    fn what_is_left_out_means_the_default() {
        assert_eq!(from_task_type(v1::TaskType::Unspecified), TaskType::Batch);
        assert_eq!(
            from_priority(v1::TaskPriority::Unspecified),
            Priority::Normal
        );
        assert_eq!(from_task_status(v1::TaskStatus::Unspecified), None);
    }
}
