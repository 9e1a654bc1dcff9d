//! One map from the reasons for which a request is refused to HTTP statuses and gRPC codes.
//!
//! Owns: which status a code gets, when to come back, and the rich details of a gRPC error. Never: the decision to
//! refuse.

use std::collections::HashMap;
use std::time::Duration;

use openclaw_common::code::ErrorCode;
use openclaw_core::effect::Refusal;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `google.rpc.ErrorInfo` that this program sends.
pub const ERROR_DOMAIN: &str = "openclaw.cluster";

/// What the field of an `ErrorInfo` that carries the place in a batch is called.
pub const INDEX_KEY: &str = "index";

/// How one code looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    /// HTTP status. A body that can be read but not accepted is 422; what cannot even be read is the reader's 400.
    pub http: http::StatusCode,
    /// gRPC code.
    pub grpc: Code,
    /// Title for people, the same for every occurrence.
    pub title: &'static str,
    /// Seconds after which the same request may succeed (`Retry-After`, `RetryInfo`).
    pub retry_after: Option<u32>,
    /// What to do next, when the detail alone doesn't say.
    pub next: &'static str,
}

/// The face of a code.
#[expect(clippy::too_many_lines, reason = "a table: one entry for each code")]
pub const fn face(code: ErrorCode) -> Face {
    use http::StatusCode as Http;
    let (http, grpc, title, retry_after, next) = match code {
        ErrorCode::InvalidArgument => (
            Http::UNPROCESSABLE_ENTITY,
            Code::InvalidArgument,
            "The request is not valid",
            None,
            "correct the field that is named and send it again",
        ),
        ErrorCode::NotFound => (
            Http::NOT_FOUND,
            Code::NotFound,
            "No such thing",
            None,
            "check the id: openclaw-cluster task list, openclaw-cluster node list",
        ),
        ErrorCode::AlreadyExists => (
            Http::CONFLICT,
            Code::AlreadyExists,
            "Taken by something else",
            None,
            "use another id or idempotency key, or send the same request as the first time",
        ),
        ErrorCode::TooLarge => (
            Http::PAYLOAD_TOO_LARGE,
            Code::InvalidArgument,
            "Too large",
            None,
            "send less at once, within the limit that is named",
        ),
        ErrorCode::QueueFull => (
            Http::TOO_MANY_REQUESTS,
            Code::ResourceExhausted,
            "The queue is full",
            Some(1),
            "send the same request again a little later",
        ),
        ErrorCode::Overloaded => (
            Http::SERVICE_UNAVAILABLE,
            Code::ResourceExhausted,
            "Too many requests at once",
            Some(1),
            "send the same request again a little later",
        ),
        ErrorCode::StoreFull => (
            Http::INSUFFICIENT_STORAGE,
            Code::ResourceExhausted,
            "The disk is full",
            Some(30),
            "free space on the disk that holds the coordinator's data; it goes on by itself",
        ),
        ErrorCode::Unavailable => (
            Http::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            "Not available now",
            Some(1),
            "send the same request again; with an idempotency key it is never carried out twice",
        ),
        ErrorCode::Unauthenticated => (
            Http::UNAUTHORIZED,
            Code::Unauthenticated,
            "A token is needed",
            None,
            "send `authorization: Bearer TOKEN`; openclaw-cluster token show prints it on the coordinator's machine",
        ),
        ErrorCode::PermissionDenied => (
            Http::FORBIDDEN,
            Code::PermissionDenied,
            "Not allowed",
            None,
            "use a token with the role that is named",
        ),
        ErrorCode::FailedPrecondition => (
            Http::CONFLICT,
            Code::FailedPrecondition,
            "It does not fit the present state",
            None,
            "look at the present state first",
        ),
        ErrorCode::Internal => (
            Http::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "A mistake in the program",
            None,
            "look into the coordinator's log and report it",
        ),
    };
    Face {
        http,
        grpc,
        title,
        retry_after,
        next,
    }
}

/// The field that a detail of the form `field: what is wrong` names.
pub fn field_of(detail: &str) -> Option<&str> {
    let (field, _) = detail.split_once(": ")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.[]".contains(c);
    (!field.is_empty() && field.chars().all(plain)).then_some(field)
}

/// A refusal as a gRPC status: `ErrorInfo` with the stable code, `BadRequest` with the field, `RetryInfo`, `Help`.
pub fn status(refusal: &Refusal) -> Status {
    let face = face(refusal.code);
    let mut details = ErrorDetails::new();
    let mut metadata = HashMap::new();
    let place = refusal.index.map(|index| format!("tasks[{index}]"));
    if let Some(index) = refusal.index {
        metadata.insert(INDEX_KEY.to_owned(), index.to_string());
    }
    details.set_error_info(refusal.code.as_str(), ERROR_DOMAIN, metadata);
    if face.grpc == Code::InvalidArgument {
        let field = field_of(&refusal.detail);
        let path = match (&place, field) {
            (Some(place), Some(field)) => format!("{place}.{field}"),
            (Some(place), None) => place.clone(),
            (None, field) => field.unwrap_or_default().to_owned(),
        };
        details.add_bad_request_violation(path, refusal.detail.clone());
    }
    if let Some(seconds) = face.retry_after {
        details.set_retry_info(Some(Duration::from_secs(u64::from(seconds))));
    }
    details.add_help_link(face.next, "");
    let message = match place {
        Some(place) => format!("{place}: {}", refusal.detail),
        None => refusal.detail.clone(),
    };
    Status::with_error_details(face.grpc, message, details)
}

/// A refusal that is about the whole request.
pub fn refusal(code: ErrorCode, detail: impl Into<String>) -> Refusal {
    Refusal {
        code,
        detail: detail.into(),
        index: None,
    }
}

#[cfg(test)]
mod tests {
    use openclaw_common::code::ErrorCode;
    use openclaw_core::effect::Refusal;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::{face, field_of, refusal, status};

    #[test]
    fn every_code_is_an_error_on_both_faces() {
        for code in ErrorCode::ALL {
            let face = face(*code);
            assert!(
                face.http.is_client_error() || face.http.is_server_error(),
                "{code}"
            );
            assert_ne!(face.grpc, Code::Ok);
            assert!(!face.next.is_empty());
        }
    }

    #[test]
    fn what_passes_with_time_says_when_to_come_back() {
        for code in [
            ErrorCode::QueueFull,
            ErrorCode::Overloaded,
            ErrorCode::StoreFull,
            ErrorCode::Unavailable,
        ] {
            assert!(face(code).retry_after.is_some(), "{code}");
        }
    }

    #[test]
    fn a_status_carries_code_field_and_place() {
        let refusal = Refusal {
            code: ErrorCode::TooLarge,
            detail: "parameters: 2 MiB are over the limit of 1 MiB".to_owned(),
            index: Some(3),
        };
        let status = status(&refusal);
        let details = status.get_error_details();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(details.error_info().unwrap().reason, "TOO_LARGE");
        assert_eq!(
            details.bad_request().unwrap().field_violations[0].field,
            "tasks[3].parameters"
        );
        assert!(status.message().starts_with("tasks[3]: parameters: "));
    }

    #[test]
    fn an_unavailable_answer_says_when_to_come_back() {
        let status = status(&refusal(
            ErrorCode::Unavailable,
            "the store is being reopened",
        ));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(
            status
                .get_error_details()
                .retry_info()
                .unwrap()
                .retry_delay
                .is_some()
        );
    }

    #[test]
    fn only_a_field_name_is_taken_for_a_field() {
        assert_eq!(field_of("inputs[2].name: empty"), Some("inputs[2].name"));
        assert_eq!(field_of("The queue: full"), None);
        assert_eq!(field_of("full"), None);
    }
}
