//! The one error type of the command line: what failed, on what, and the next step.

use std::fmt;

use openclaw_common::code::ErrorCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::exit::Exit;

/// Why a command could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// A stable code for programs, for example `NOT_FOUND`.
    pub code: String,
    /// What failed, on what, and why, in one sentence.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a next step.
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The command line was wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "USAGE", message)
    }

    /// Something on this machine went wrong: a file, a process.
    pub fn local(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    /// Something asked for does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, ErrorCode::NotFound.as_str(), message)
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Reads what the coordinator answered: its stable reason and next step where it sends them.
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let known = details
            .error_info()
            .and_then(|info| ErrorCode::parse(&info.reason));
        let code = details.error_info().map_or_else(
            || word_of(status.code()).to_owned(),
            |info| info.reason.clone(),
        );
        let exit = known.map_or_else(|| exit_of_grpc(status.code()), exit_of);
        let help = details.help().map(|help| {
            help.links
                .iter()
                .map(|link| link.description.clone())
                .collect()
        });
        let mut hints: Vec<String> = help.unwrap_or_default();
        hints.extend(
            details
                .error_info()
                .and_then(|info| info.metadata.get("hint").cloned()),
        );
        hints.extend(details.bad_request().into_iter().flat_map(|bad| {
            // A violation that repeats the message says nothing new.
            let news = bad
                .field_violations
                .iter()
                .filter(|field| !status.message().contains(&field.description));
            news.map(|field| format!("{}: {}", field.field, field.description))
                .collect::<Vec<_>>()
        }));
        let message = if status.message().is_empty() {
            code.clone()
        } else {
            status.message().to_owned()
        };
        let failure = Self {
            exit,
            code,
            message,
            hint: None,
        };
        if hints.is_empty() {
            failure.with_usual_hint()
        } else {
            failure.hint(hints.join("; "))
        }
    }

    fn with_usual_hint(self) -> Self {
        match self.exit {
            Exit::NotAllowed => self.hint(
                "pass the cluster token with --token-file or OPENCLAW_CLUSTER_TOKEN; \
                 on the coordinator's machine `openclaw-cluster token show` prints it",
            ),
            Exit::Unreachable => {
                self.hint("try again in a moment; `openclaw-cluster status` shows when it is back")
            }
            _ => self,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

const fn exit_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::NotFound => Exit::NotFound,
        ErrorCode::Unauthenticated | ErrorCode::PermissionDenied => Exit::NotAllowed,
        ErrorCode::Unavailable => Exit::Unreachable,
        ErrorCode::InvalidArgument | ErrorCode::TooLarge => Exit::Usage,
        ErrorCode::AlreadyExists
        | ErrorCode::QueueFull
        | ErrorCode::Overloaded
        | ErrorCode::StoreFull
        | ErrorCode::FailedPrecondition
        | ErrorCode::Internal => Exit::Failed,
    }
}

const fn exit_of_grpc(code: Code) -> Exit {
    match code {
        Code::NotFound => Exit::NotFound,
        Code::Unauthenticated | Code::PermissionDenied => Exit::NotAllowed,
        Code::Unavailable | Code::DeadlineExceeded => Exit::Unreachable,
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        _ => Exit::Failed,
    }
}

const fn word_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn the_coordinators_reason_and_next_step_are_kept() {
        let mut details = ErrorDetails::with_error_info("STORE_FULL", "openclaw", []);
        details.add_help_link("free space on /data", "");
        let status =
            Status::with_error_details(Code::ResourceExhausted, "the disk is full", details);
        let failure = Failure::from_status(&status);
        assert_eq!(failure.code, "STORE_FULL");
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(failure.hint.as_deref(), Some("free space on /data"));
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let mut details =
            ErrorDetails::with_bad_request_violation("tasks[0].skill", "at most 64 characters");
        details.set_error_info("INVALID_ARGUMENT", "openclaw", []);
        let status = Status::with_error_details(
            Code::InvalidArgument,
            "the task is not acceptable",
            details,
        );
        let failure = Failure::from_status(&status);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.hint.as_deref(),
            Some("tasks[0].skill: at most 64 characters")
        );
    }

    #[test]
    fn a_bare_status_still_gets_a_code_an_exit_and_a_next_step() {
        let failure = Failure::from_status(&Status::unauthenticated("token missing"));
        assert_eq!(
            (failure.exit, failure.code.as_str()),
            (Exit::NotAllowed, "UNAUTHENTICATED")
        );
        assert!(failure.hint.unwrap().contains("token show"));
        assert_eq!(
            Failure::from_status(&Status::not_found("no task")).exit,
            Exit::NotFound
        );
        assert_eq!(
            Failure::from_status(&Status::unavailable("")).exit,
            Exit::Unreachable
        );
    }
}
