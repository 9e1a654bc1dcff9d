//! Answers with a body of JSON.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use openclaw_common::code::ErrorCode;
use serde::Serialize;

use super::problem::Problem;
use crate::reply;

/// What a handler gives back.
pub(super) type Answer = Result<Response, Problem>;

/// A value as the body.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    Ok(bytes(status, encode(value)?.into()))
}

/// JSON that is made already.
pub(super) fn bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A value as JSON text.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Problem::from(reply::refusal(
            ErrorCode::Internal,
            "the answer cannot be written as JSON; please report it",
        ))
    })
}
