//! What a task printed: as plain text, as JSON, or as events while it grows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use openclaw_common::id::TaskId;
use openclaw_core::effect::Refusal;
use openclaw_proto::v1;
use serde::Serialize;

use super::answer::{Answer, json};
use super::params::{self, Params, bad};
use super::problem::Problem;
use super::state::Gateway;
use crate::task_logs::{self, LogQuery, LogStream};

/// So often a quiet stream of events shows that it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How the client wants the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Events,
}

#[derive(Serialize)]
struct LogOut {
    task_id: String,
    attempt: u32,
    complete: bool,
    stdout: String,
    stderr: String,
}

#[derive(Serialize)]
struct PieceOut<'a> {
    attempt: u32,
    stream: &'static str,
    offset: u64,
    text: &'a str,
}

#[derive(Serialize)]
struct EndOut {
    attempt: u32,
    complete: bool,
}

/// How far each stream has been shown, to tell where a part is missing.
#[derive(Debug, Default)]
struct Shown {
    stdout: u64,
    stderr: u64,
}

/// The log of an attempt. `follow` goes on until the attempt has ended.
pub(super) async fn logs(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let params = Params::of(&uri, &["attempt", "stream", "follow"], &[])?;
    let task = params::task_id(path)?;
    let form = Form::of(&headers);
    let query = query(&params, task, form)?;
    let pieces = task_logs::stream(gateway.handle.clone(), gateway.logs.clone(), query).await?;
    let pieces = pieces
        .take_until(gateway.stop.clone().cancelled_owned())
        .boxed();
    match form {
        Form::Text => Ok(text(pieces)),
        Form::Json => whole(task, pieces).await,
        Form::Events => Ok(events(pieces)),
    }
}

fn query(params: &Params, task: TaskId, form: Form) -> Result<LogQuery, Problem> {
    let attempt = params.read("attempt", |text| {
        text.parse::<u32>()
            .map_err(|_| "give the number of an attempt, or leave it out for the latest".to_owned())
    })?;
    let stream = params.read("stream", |word| match word {
        "stdout" => Ok(v1::LogStream::Stdout),
        "stderr" => Ok(v1::LogStream::Stderr),
        "both" => Ok(v1::LogStream::Unspecified),
        _ => Err("use one of: stdout, stderr, both".to_owned()),
    })?;
    let follow = params.flag("follow")?;
    if follow && form == Form::Json {
        let text = "follow: JSON has no end to wait for; ask for text/plain or text/event-stream in `Accept`";
        return Err(bad("follow", text));
    }
    Ok(LogQuery {
        task,
        attempt: attempt.unwrap_or(0),
        stream: stream.unwrap_or(v1::LogStream::Unspecified),
        follow,
    })
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if accept.contains("text/event-stream") {
            Self::Events
        } else if accept.contains("application/json") {
            Self::Json
        } else {
            Self::Text
        }
    }
}

impl Shown {
    /// The bytes of a piece, after a line that says how much is missing before it.
    fn next(&mut self, chunk: &v1::LogChunk) -> Bytes {
        let end = if chunk.stream() == v1::LogStream::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        };
        let missing = chunk.offset.saturating_sub(*end);
        *end = chunk
            .offset
            .saturating_add(u64::try_from(chunk.data.len()).unwrap_or(u64::MAX));
        if missing == 0 {
            return chunk.data.clone();
        }
        let mut marked = format!(
            "\n[{missing} bytes of {} were not kept]\n",
            name_of(chunk.stream())
        )
        .into_bytes();
        marked.extend_from_slice(&chunk.data);
        marked.into()
    }
}

fn text(pieces: LogStream) -> Response {
    let mut shown = Shown::default();
    let bytes = pieces.filter_map(move |piece| {
        let bytes = piece
            .map(|piece| piece.chunk.map(|chunk| shown.next(&chunk)))
            .transpose();
        // The head of the answer has left: only cutting it short can tell of an error.
        std::future::ready(
            bytes.map(|bytes| bytes.map_err(|refusal| std::io::Error::other(refusal.detail))),
        )
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

async fn whole(task: TaskId, mut pieces: LogStream) -> Answer {
    let (mut shown, mut attempt, mut complete) = (Shown::default(), 0, false);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        (attempt, complete) = (piece.attempt, piece.complete);
        if let Some(chunk) = piece.chunk {
            let bytes = shown.next(&chunk);
            let into = if chunk.stream() == v1::LogStream::Stderr {
                &mut stderr
            } else {
                &mut stdout
            };
            into.extend_from_slice(&bytes);
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let log = LogOut {
        task_id: task.to_string(),
        attempt,
        complete,
        stdout: text(stdout),
        stderr: text(stderr),
    };
    json(StatusCode::OK, &log)
}

fn events(pieces: LogStream) -> Response {
    let events = pieces.map(|piece| Ok::<_, Infallible>(event(piece)));
    let alive = KeepAlive::new().interval(KEEPALIVE);
    Sse::new(bounded(events)).keep_alive(alive).into_response()
}

/// Names the type that `Sse` wants.
fn bounded<S>(events: S) -> S
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    events
}

fn event(piece: Result<v1::GetTaskLogsResponse, Refusal>) -> Event {
    let piece = match piece {
        Ok(piece) => piece,
        Err(refusal) => {
            let document = Problem::from(refusal).document("");
            return Event::default()
                .event("error")
                .data(String::from_utf8_lossy(&document));
        }
    };
    let Some(chunk) = piece.chunk else {
        let end = EndOut {
            attempt: piece.attempt,
            complete: piece.complete,
        };
        return data("end", &end);
    };
    let text = String::from_utf8_lossy(&chunk.data);
    let stream = name_of(chunk.stream());
    data(
        "piece",
        &PieceOut {
            attempt: piece.attempt,
            stream,
            offset: chunk.offset,
            text: &text,
        },
    )
}

fn data(name: &str, value: &impl Serialize) -> Event {
    // Texts and numbers alone: encoding them cannot fail.
    Event::default()
        .event(name)
        .json_data(value)
        .unwrap_or_default()
}

const fn name_of(stream: v1::LogStream) -> &'static str {
    match stream {
        v1::LogStream::Stderr => "stderr",
        v1::LogStream::Stdout | v1::LogStream::Unspecified => "stdout",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_shown_where_it_is_and_streams_are_told_apart() {
        let mut shown = Shown::default();
        let mut next = |stream: v1::LogStream, offset, text: &'static str| {
            let chunk = v1::LogChunk {
                stream: stream.into(),
                offset,
                data: text.into(),
            };
            String::from_utf8(shown.next(&chunk).to_vec()).unwrap()
        };
        assert_eq!(next(v1::LogStream::Stdout, 0, "ab"), "ab");
        assert_eq!(next(v1::LogStream::Stderr, 0, "x"), "x");
        assert_eq!(
            next(v1::LogStream::Stdout, 5, "f"),
            "\n[3 bytes of stdout were not kept]\nf"
        );
        assert_eq!(next(v1::LogStream::Stdout, 6, "g"), "g");
    }
}
