//! Submitting tasks: one, or many at once, all or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::effect::{Accepted, Refusal};
use openclaw_core::model::Principal;
use serde::Serialize;

use super::answer::{Answer, json};
use super::body;
use super::dto::{Submission, submission};
use super::params::Params;
use super::problem::Problem;
use super::state::Gateway;
use crate::reply;

const KEY: &str = "idempotency-key";

#[derive(Serialize)]
struct AcceptedOut {
    task_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    existing: bool,
}

#[derive(Serialize)]
struct AcceptedBatch {
    tasks: Vec<AcceptedOut>,
}

/// Accepts tasks; answers when they are durable.
pub(super) async fn submit(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Principal>,
    request: Request<Body>,
) -> Answer {
    Params::of(request.uri(), &[], &[])?;
    let key = key_of(request.headers())?;
    let limits = gateway.handle.limits();
    let (depth, most) = (limits.json_depth, limits.tasks);
    let text = body::json(request, limits.request).await?;
    let Submission {
        tasks,
        batch,
        key: body_key,
    } = submission(&text, depth, most)?;
    drop(text);
    let accepted = if batch {
        let key = agree(&key, body_key)?;
        let tasks = gateway.handle.prepare(&principal, tasks, &key)?;
        gateway.handle.submit(principal, tasks).await?
    } else {
        single(&gateway, principal, tasks, key)
            .await
            .map_err(of_single)?
    };
    answer(&gateway, accepted, batch).await
}

/// One task: the key of the header is its own.
async fn single(
    gateway: &Gateway,
    principal: Principal,
    mut tasks: Vec<openclaw_proto::v1::TaskSpec>,
    key: String,
) -> Result<Vec<Accepted>, Refusal> {
    for task in &mut tasks {
        let own = std::mem::take(&mut task.idempotency_key);
        task.idempotency_key = agree(&key, own)?;
    }
    let tasks = gateway.handle.prepare(&principal, tasks, "")?;
    gateway.handle.submit(principal, tasks).await
}

/// A refusal about the only task names no place.
fn of_single(refusal: Refusal) -> Problem {
    Refusal {
        index: None,
        ..refusal
    }
    .into()
}

/// The key of the header and that of the body, which must not differ.
fn agree(header: &str, body: String) -> Result<String, Refusal> {
    match (header, body.as_str()) {
        (key, "") => Ok(key.to_owned()),
        ("", _) => Ok(body),
        (key, other) if key == other => Ok(body),
        _ => Err(reply::refusal(
            ErrorCode::InvalidArgument,
            "idempotency_key: differs from the header `Idempotency-Key`; send one of them",
        )),
    }
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    match (keys.next().map(HeaderValue::to_str), keys.next()) {
        (None, _) => Ok(String::new()),
        (Some(Ok(key)), None) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "INVALID_ARGUMENT",
            "The header is not valid",
            "`Idempotency-Key` must hold one key of visible ASCII characters",
        )
        .field("Idempotency-Key")),
    }
}

async fn answer(gateway: &Gateway, accepted: Vec<Accepted>, batch: bool) -> Answer {
    let standing = standing(gateway, &accepted).await?;
    let out = |accepted: &Accepted| AcceptedOut {
        task_id: accepted.id.to_string(),
        status: standing
            .get(&accepted.id)
            .copied()
            .unwrap_or(TaskStatus::Pending)
            .as_str(),
        existing: accepted.existing,
    };
    let mut tasks: Vec<AcceptedOut> = accepted.iter().map(out).collect();
    match tasks.pop() {
        Some(task) if !batch => Ok(located(json(StatusCode::ACCEPTED, &task)?, &task.task_id)),
        last => {
            tasks.extend(last);
            json(StatusCode::ACCEPTED, &AcceptedBatch { tasks })
        }
    }
}

/// Where those tasks stand that were known already.
async fn standing(
    gateway: &Gateway,
    accepted: &[Accepted],
) -> Result<BTreeMap<TaskId, TaskStatus>, Problem> {
    let known: Vec<TaskId> = accepted
        .iter()
        .filter(|one| one.existing)
        .map(|one| one.id)
        .collect();
    if known.is_empty() {
        return Ok(BTreeMap::new());
    }
    let states = gateway.handle.states(known).await?;
    Ok(states
        .into_iter()
        .flatten()
        .map(|state| (state.id, state.status))
        .collect())
}

fn located(mut response: Response, task: &str) -> Response {
    if let Ok(path) = HeaderValue::from_str(&format!("/api/v1/tasks/{task}")) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}
