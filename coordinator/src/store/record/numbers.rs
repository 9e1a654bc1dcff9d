//! Numbers of words in records. They never change; 0 is nothing.

use openclaw_common::status::{
    OnLost, OnSleep, Outcome, Priority, RetryOn, Strategy, TaskStatus, TaskType,
};
use openclaw_core::model::Executor;
use openclaw_core::version::Op;

use super::Invalid;

/// A word with a number of its own.
pub(crate) trait Numbered: Sized {
    /// The number.
    fn number(self) -> u32;

    /// The word, `None` for a number that no word has.
    fn from_number(number: u32) -> Option<Self>;
}

/// The word of a number in a record.
pub(super) fn word<T: Numbered>(number: u32, what: &'static str) -> Result<T, Invalid> {
    T::from_number(number).ok_or_else(|| Invalid(format!("unknown {what} {number}").into()))
}

macro_rules! numbered {
    ($name:ident { $($variant:ident = $number:literal),+ $(,)? }) => {
        impl Numbered for $name {
            fn number(self) -> u32 {
                match self { $(Self::$variant => $number),+ }
            }

            fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

numbered!(TaskStatus {
    Pending = 1,
    Scheduled = 2,
    Running = 3,
    Completed = 4,
    Failed = 5,
    Cancelled = 6,
    Timeout = 7,
});
numbered!(TaskType {
    Interactive = 1,
    Batch = 2,
    ComputeIntensive = 3,
    IoIntensive = 4,
    Daemon = 5,
});
numbered!(Priority {
    Critical = 1,
    High = 2,
    Normal = 3,
    Low = 4,
});
numbered!(Strategy {
    RoundRobin = 1,
    LeastTasks = 2,
    BestFit = 3,
    Random = 4,
    Affinity = 5,
});
numbered!(OnLost { Retry = 1, Fail = 2 });
numbered!(OnSleep { Hold = 1, Requeue = 2 });
numbered!(RetryOn {
    Exit = 1,
    Signal = 2,
    Timeout = 3,
    Output = 4,
});
numbered!(Outcome {
    Succeeded = 1,
    Exit = 2,
    Signal = 3,
    Timeout = 4,
    ProgressTimeout = 5,
    BadOutput = 6,
    Killed = 7,
    SpawnFailed = 8,
    HandedBack = 9,
    WorkerDied = 10,
});
numbered!(Executor {
    Command = 1,
    Builtin = 2,
    Agent = 3,
});
numbered!(Op {
    AtLeast = 1,
    Above = 2,
    Exactly = 3,
    AtMost = 4,
    Below = 5,
});
