//! Bodies of requests: their type, their size and the time they take.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use openclaw_common::code::ErrorCode;
use tokio::time::timeout;

use super::problem::Problem;
use crate::reply;

/// Longest time that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body of JSON of at most `limit` bytes.
pub(super) async fn json(request: Request<Body>, limit: usize) -> Result<Bytes, Problem> {
    json_within(request, limit, PATIENCE).await
}

async fn json_within(
    request: Request<Body>,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Problem> {
    check_type(request.headers())?;
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(too_large(limit));
    }
    let body = Limited::new(request.into_body(), limit).collect();
    match timeout(patience, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(too_large(limit))
        }
        Ok(Err(_)) => Err(cut_short()),
        Err(_) => Err(too_slow(patience)),
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let essence = given
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let fits = essence.eq_ignore_ascii_case(b"application/json");
    if fits && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = if fits {
        "compressed bodies are not read; send it without `Content-Encoding`"
    } else {
        "send JSON, with `Content-Type: application/json`"
    };
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_MEDIA_TYPE",
        "Wrong type of body",
        detail,
    ))
}

fn too_large(limit: usize) -> Problem {
    let text = format!(
        "the body is over the limit of {limit} bytes; send fewer tasks at once, or smaller files"
    );
    reply::refusal(ErrorCode::TooLarge, text).into()
}

fn cut_short() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "BODY_CUT_SHORT",
        "The body cannot be read",
        "the body ended before its announced end",
    )
}

fn too_slow(patience: Duration) -> Problem {
    let detail = format!(
        "the body took longer than {} s to arrive; send it again",
        patience.as_secs()
    );
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "BODY_TOO_SLOW",
        "The body came too slowly",
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(headers: &[(&str, &str)], body: Body, limit: usize) -> Result<Bytes, u16> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let read = json_within(request.body(body).unwrap(), limit, Duration::from_secs(5)).await;
        read.map_err(|problem| problem.http_status().as_u16())
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[tokio::test]
    async fn only_json_is_read_and_only_up_to_the_limit() {
        assert_eq!(read(&[JSON], "{}".into(), 2).await.unwrap(), "{}");
        assert_eq!(read(&[JSON], "{ }".into(), 2).await, Err(413));
        assert_eq!(
            read(&[JSON, ("content-length", "99")], "{}".into(), 2).await,
            Err(413)
        );
        assert_eq!(read(&[], "{}".into(), 2).await, Err(415));
        assert_eq!(
            read(&[("content-type", "text/plain")], "{}".into(), 2).await,
            Err(415)
        );
        assert_eq!(
            read(&[JSON, ("content-encoding", "gzip")], "{}".into(), 2).await,
            Err(415)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let pending = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(read(&[JSON], Body::from_stream(pending), 2).await, Err(408));
        let broken =
            futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("gone")) });
        assert_eq!(read(&[JSON], Body::from_stream(broken), 2).await, Err(400));
    }
}
