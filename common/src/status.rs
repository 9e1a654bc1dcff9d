//! The words that users know: task and node states, kinds of work, priorities, strategies, choices.

/// A text that is none of the words of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}; use one of: {words}")]
pub struct ParseWordError {
    kind: &'static str,
    text: String,
    words: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The public word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseWordError;

            fn from_str(text: &str) -> Result<Self, ParseWordError> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| ParseWordError {
                    kind: $kind,
                    text: text.chars().take(80).collect(),
                    words: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

words!(
    /// The seven public states of a task.
    TaskStatus, "task status" {
        /// Waiting for a node.
        Pending = "pending",
        /// Offered to a node, not started.
        Scheduled = "scheduled",
        /// Started.
        Running = "running",
        /// Ended well.
        Completed = "completed",
        /// Ended badly, not tried again.
        Failed = "failed",
        /// Ended because somebody asked.
        Cancelled = "cancelled",
        /// Ran or waited too long.
        Timeout = "timeout",
    }
);

impl TaskStatus {
    /// No further state follows.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout
        )
    }
}

words!(
    /// What kind of work a task is.
    TaskType, "task type" {
        /// Somebody is waiting: ahead of others of its user and priority.
        Interactive = "interactive",
        /// Ordinary work.
        Batch = "batch",
        /// Takes whole cores.
        ComputeIntensive = "compute_intensive",
        /// Half a slot.
        IoIntensive = "io_intensive",
        /// Kept running until cancelled.
        Daemon = "daemon",
    }
);

words!(
    /// Strict order between tasks, highest first.
    Priority, "priority" {
        /// 0
        Critical = "critical",
        /// 1
        High = "high",
        /// 2, the default
        Normal = "normal",
        /// 3
        Low = "low",
    }
);

words!(
    /// How a node is chosen among those that fit.
    Strategy, "strategy" {
        /// Each node in turn.
        RoundRobin = "round_robin",
        /// Fewest running, then most free. The default.
        LeastTasks = "least_tasks",
        /// Highest score.
        BestFit = "best_fit",
        /// Any.
        Random = "random",
        /// Most matching tags, then highest score.
        Affinity = "affinity",
    }
);

words!(
    /// The public state of a node.
    NodeStatus, "node status" {
        /// Connected, with room.
        Online = "online",
        /// Connected, no free slot.
        Busy = "busy",
        /// Not connected.
        Offline = "offline",
        /// Cordoned, draining or paused.
        Maintenance = "maintenance",
        /// Wedged, incompatible or failing.
        Error = "error",
    }
);

words!(
    /// What happens when the node that runs a task is lost.
    OnLost, "on_lost" {
        /// Run it again.
        Retry = "retry",
        /// End it as failed.
        Fail = "fail",
    }
);

words!(
    /// What happens when the node that runs a task announces sleep.
    OnSleep, "on_sleep" {
        /// Wait for it to wake.
        Hold = "hold",
        /// Run it elsewhere.
        Requeue = "requeue",
    }
);

words!(
    /// A kind of failure that may be retried.
    RetryOn, "retry_on" {
        /// An exit code other than 0.
        Exit = "exit",
        /// A signal.
        Signal = "signal",
        /// A time limit, that of progress too.
        Timeout = "timeout",
        /// A result or output that was not acceptable.
        Output = "output",
    }
);

words!(
    /// How an attempt ended, as its worker tells it.
    Outcome, "outcome" {
        /// Ended well.
        Succeeded = "succeeded",
        /// Exit code other than 0.
        Exit = "exit",
        /// Ended by a signal that nobody here sent.
        Signal = "signal",
        /// Its timeout was reached.
        Timeout = "timeout",
        /// No progress for too long.
        ProgressTimeout = "progress_timeout",
        /// Result or output not acceptable.
        BadOutput = "bad_output",
        /// Ended because the coordinator said so.
        Killed = "killed",
        /// Could not be started.
        SpawnFailed = "spawn_failed",
        /// Ended because the worker stops.
        HandedBack = "handed_back",
        /// The worker's process died under it.
        WorkerDied = "worker_died",
    }
);

#[cfg(test)]
mod tests {
    use super::{Priority, Strategy, TaskStatus};

    #[test]
    fn every_word_parses_back() {
        for status in TaskStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        let error = "fast".parse::<Strategy>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`fast` is not a strategy; use one of: round_robin, least_tasks, best_fit, random, affinity"
        );
    }

    #[test]
    fn priorities_sort_highest_first() {
        assert!(Priority::Critical < Priority::Low);
    }
}
