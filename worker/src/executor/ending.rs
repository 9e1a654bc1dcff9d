//! How an attempt's end is put into words and codes.

use std::process::ExitStatus;
use std::time::Duration;

use humantime::format_duration;
use openclaw_common::code::ReasonCode;
use openclaw_common::status::Outcome;

use super::api::Wanted;
use super::clock::Limit;
use crate::model::{Ended, Failure};

/// `EX_USAGE`: what a program exits with when it is called wrongly. Ends a task for good, without a retry.
pub(super) const EX_USAGE: i32 = 64;

/// Longest line of standard error that is quoted in a message, in characters.
const QUOTED_CHARS: usize = 200;

/// Why a running attempt is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody wants it.
    Wanted,
    /// A time limit.
    Limit(Limit),
}

/// An end without output.
pub(super) fn ended(outcome: Outcome, run: Duration, failure: Option<Failure>) -> Ended {
    Ended {
        outcome,
        result: String::new(),
        outputs: Vec::new(),
        failure,
        run_ms: openclaw_common::time::millis(run),
        output: Vec::new(),
        stdout_bytes: 0,
        stderr_bytes: 0,
    }
}

/// A success with this JSON.
pub(super) fn succeeded(result: String, run: Duration) -> Ended {
    Ended {
        result,
        ..ended(Outcome::Succeeded, run, None)
    }
}

/// A failure that is no process's exit.
pub(super) fn failure(code: ReasonCode, message: impl Into<String>) -> Failure {
    Failure {
        code,
        message: message.into(),
        exit_code: None,
        signal: None,
        stderr_tail: String::new(),
    }
}

/// Nothing could be started; nothing ran.
pub(super) fn not_started(message: impl Into<String>) -> Ended {
    ended(
        Outcome::SpawnFailed,
        Duration::ZERO,
        Some(failure(ReasonCode::Spawn, message)),
    )
}

/// The task's own parameters do not fit what it is to run: as if the program had refused them.
pub(super) fn refused(message: impl Into<String>) -> Ended {
    let failure = Failure {
        exit_code: Some(EX_USAGE),
        ..failure(ReasonCode::Exit, message)
    };
    ended(Outcome::Exit, Duration::ZERO, Some(failure))
}

/// The end of an attempt that was ended from here.
pub(super) fn cut_short(cause: Cause, wanted: Wanted) -> (Outcome, Failure) {
    match cause {
        Cause::Limit(Limit::Timeout(limit)) => (
            Outcome::Timeout,
            failure(
                ReasonCode::Timeout,
                format!("ran longer than its timeout of {}", format_duration(limit)),
            ),
        ),
        Cause::Limit(Limit::Progress(limit)) => (
            Outcome::ProgressTimeout,
            failure(
                ReasonCode::ProgressTimeout,
                format!(
                    "made no progress for its progress timeout of {}",
                    format_duration(limit)
                ),
            ),
        ),
        Cause::Wanted if wanted.asked => (
            Outcome::Killed,
            failure(
                ReasonCode::Cancelled,
                "ended because the coordinator asked for it",
            ),
        ),
        Cause::Wanted => (
            Outcome::HandedBack,
            failure(ReasonCode::HandedBack, "ended because the worker stops"),
        ),
    }
}

/// The failure that an exit status stands for; `None` when it stands for success. `program` is what was started.
pub(super) fn of_status(
    program: &str,
    status: ExitStatus,
    stderr_tail: String,
) -> Option<(Outcome, Failure)> {
    if status.success() {
        return None;
    }
    let signal = signal_of(status);
    let (outcome, code, what) = match (status.code(), signal) {
        (Some(code), _) => (Outcome::Exit, ReasonCode::Exit, format!("exited with code {code}")),
        (None, Some(9)) => (
            Outcome::Signal,
            ReasonCode::Signal,
            "was ended by signal 9 (SIGKILL), which nobody here sent: perhaps the system ran out of memory".to_owned(),
        ),
        (None, Some(number)) => {
            (Outcome::Signal, ReasonCode::Signal, format!("was ended by signal {number}{}", signal_name(number)))
        }
        (None, None) => (Outcome::Exit, ReasonCode::Exit, "ended without an exit code".to_owned()),
    };
    let message = match last_line(&stderr_tail) {
        Some(line) => format!("{program} {what}: {line}"),
        None => format!("{program} {what} and printed nothing on standard error"),
    };
    Some((
        outcome,
        Failure {
            code,
            message,
            exit_code: status.code(),
            signal,
            stderr_tail,
        },
    ))
}

fn last_line(tail: &str) -> Option<String> {
    let line = tail
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(
        line.chars()
            .filter(|character| !character.is_control())
            .take(QUOTED_CHARS)
            .collect(),
    )
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

/// The signals that end programs by their own fault, in the words of people.
fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        4 => " (SIGILL: illegal instruction)",
        6 => " (SIGABRT: it aborted itself)",
        8 => " (SIGFPE: arithmetic error)",
        11 => " (SIGSEGV: invalid memory access)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
