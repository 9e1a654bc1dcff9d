//! What the process answers to its caller: one number for each kind of end.
//!
//! Scripts and agents depend on these numbers; they change only with a major version.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;

/// How a run of the command line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Ok,
    /// The task failed, or something else went wrong.
    Failed,
    /// The command line itself was wrong.
    Usage,
    /// No node can run the task, and `--fail-if-unplaceable` was given.
    Unplaceable,
    /// The time to wait was up; the task goes on.
    WaitTimedOut,
    /// The task was cancelled.
    Cancelled,
    /// The task's node was lost and the task may not run again.
    Lost,
    /// No such task, node or skill.
    NotFound,
    /// The token is missing, wrong, or does not allow this.
    NotAllowed,
    /// The coordinator cannot be reached, or cannot answer at the moment.
    Unreachable,
    /// Interrupted by Ctrl-C; work in the cluster goes on.
    Interrupted,
    /// The skill's own exit code, with `--propagate-exit`.
    Skill(u8),
}

impl Exit {
    /// Every fixed code with its meaning, in order.
    pub const FIXED: [Self; 11] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Unplaceable,
        Self::WaitTimedOut,
        Self::Cancelled,
        Self::Lost,
        Self::NotFound,
        Self::NotAllowed,
        Self::Unreachable,
        Self::Interrupted,
    ];

    /// The number that the process returns.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unplaceable => 3,
            Self::WaitTimedOut => 4,
            Self::Cancelled => 5,
            Self::Lost => 6,
            Self::NotFound => 7,
            Self::NotAllowed => 8,
            Self::Unreachable => 9,
            Self::Interrupted => 130,
            Self::Skill(code) => code,
        }
    }

    /// The meaning in a few words, as `--help` shows it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "the task failed, or another error",
            Self::Usage => "wrong usage",
            Self::Unplaceable => "cannot be placed (--fail-if-unplaceable)",
            Self::WaitTimedOut => "the wait timed out, the task goes on",
            Self::Cancelled => "the task was cancelled",
            Self::Lost => "the task was lost with its node",
            Self::NotFound => "no such task, node or skill",
            Self::NotAllowed => "not allowed: token missing, wrong or too weak",
            Self::Unreachable => "coordinator unreachable",
            Self::Interrupted => "interrupted, the work goes on",
            Self::Skill(_) => "the skill's own exit code (--propagate-exit)",
        }
    }

    /// The code for a task's final state; `error_code` is the stable code of its error, if it has one.
    pub fn of_task(status: Option<TaskStatus>, error_code: Option<&str>) -> Self {
        match status {
            Some(TaskStatus::Completed) => Self::Ok,
            Some(TaskStatus::Cancelled) => Self::Cancelled,
            _ if error_code == Some(ReasonCode::Lost.as_str()) => Self::Lost,
            _ => Self::Failed,
        }
    }

    /// One code for several ends: the one they share, leaving out those that went well; else [`Exit::Failed`].
    pub fn combined(exits: impl IntoIterator<Item = Self>) -> Self {
        let mut bad = exits.into_iter().filter(|exit| *exit != Self::Ok);
        match bad.next() {
            None => Self::Ok,
            Some(first) if bad.all(|other| other == first) => first,
            Some(_) => Self::Failed,
        }
    }

    /// The table of codes for the end of `--help`.
    pub fn help() -> String {
        let rows: Vec<String> = Self::FIXED
            .iter()
            .map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()))
            .collect();
        format!("Exit codes:\n{}", rows.join("\n"))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_numbers_never_change() {
        let codes = Exit::FIXED.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
        assert_eq!(Exit::Skill(42).code(), 42);
    }

    #[test]
    fn a_tasks_end_decides_the_code() {
        assert_eq!(Exit::of_task(Some(TaskStatus::Completed), None), Exit::Ok);
        assert_eq!(
            Exit::of_task(Some(TaskStatus::Cancelled), Some("CANCELLED")),
            Exit::Cancelled
        );
        assert_eq!(
            Exit::of_task(Some(TaskStatus::Failed), Some("LOST")),
            Exit::Lost
        );
        assert_eq!(
            Exit::of_task(Some(TaskStatus::Failed), Some("EXIT")),
            Exit::Failed
        );
        assert_eq!(
            Exit::of_task(Some(TaskStatus::Timeout), Some("TIMEOUT")),
            Exit::Failed
        );
        assert_eq!(Exit::of_task(None, None), Exit::Failed);
    }

    #[test]
    fn several_ends_share_a_code_only_when_they_agree() {
        assert_eq!(Exit::combined([]), Exit::Ok);
        assert_eq!(
            Exit::combined([Exit::Ok, Exit::Lost, Exit::Lost]),
            Exit::Lost
        );
        assert_eq!(Exit::combined([Exit::Cancelled, Exit::Lost]), Exit::Failed);
    }

    #[test]
    fn help_lists_every_code() {
        let help = Exit::help();
        for exit in Exit::FIXED {
            assert!(help.contains(exit.meaning()), "{help}");
        }
    }
}
