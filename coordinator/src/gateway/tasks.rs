//! Looking at tasks, waiting for them, ending them.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::{Request, StatusCode, Uri};
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::{Wall, millis};
use openclaw_core::model::Principal;
use openclaw_proto::v1;
use serde::Serialize;

use super::answer::{Answer, json};
use super::dto::{self, ResultOut, StateOut, TaskOut};
use super::params::{self, Params, bad};
use super::problem::Problem;
use super::state::Gateway;
use crate::grpc::convert;
use crate::handle::{TaskFilter, unknown};
use crate::task_record::TaskRecord;

/// Tasks on a page when nothing is said.
const PAGE: usize = 100;
/// Most tasks on a page.
const PAGE_MOST: usize = 1_000;
/// Longest wait of one request.
const WAIT_MOST: Duration = Duration::from_mins(5);
/// A body that only says why.
const REASON_BYTES: usize = 16 * 1024;

const FILTERS: [&str; 9] = [
    "status",
    "skill",
    "node",
    "user_id",
    "batch_id",
    "since",
    "limit",
    "cursor",
    "id_prefix",
];

#[derive(Serialize)]
struct PageOut {
    tasks: Vec<TaskOut>,
    next_cursor: Option<String>,
}

/// A page of tasks, newest first.
pub(super) async fn list(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    let params = Params::of(&uri, &FILTERS, &["status"])?;
    let filter = filter(&params, gateway.handle.now().wall)?;
    let page = gateway.handle.page(filter).await?;
    let tasks = page
        .tasks
        .iter()
        .map(|record| TaskOut::brief(convert::task_summary(record)));
    let page = PageOut {
        tasks: tasks.collect(),
        next_cursor: page.next.map(|id| id.to_string()),
    };
    json(StatusCode::OK, &page)
}

fn filter(params: &Params, now: Wall) -> Result<TaskFilter, Problem> {
    let boxed = |name: &str| params.text(name).map(Box::from);
    let limit = params.read("limit", |text| match text.parse() {
        Ok(limit) if (1..=PAGE_MOST).contains(&limit) => Ok(limit),
        _ => Err(format!("give a number from 1 to {PAGE_MOST}")),
    })?;
    let mut filter = TaskFilter {
        statuses: params.read_all("status", |word| {
            word.parse::<TaskStatus>()
                .map_err(|error| error.to_string())
        })?,
        skill: boxed("skill"),
        node: boxed("node"),
        user: boxed("user_id"),
        batch: boxed("batch_id"),
        since: params.read("since", |text| since(text, now))?,
        before: params.read("cursor", |text| {
            text.parse()
                .map_err(|_| "this is no `next_cursor` of a page".to_owned())
        })?,
        from: None,
        limit: limit.unwrap_or(PAGE),
    };
    if let Some(prefix) = params.text("id_prefix") {
        filter
            .only_prefix(prefix)
            .map_err(|refusal| bad("id_prefix", refusal.detail))?;
    }
    Ok(filter)
}

/// A time, or how long ago.
fn since(text: &str, now: Wall) -> Result<Wall, String> {
    if let Ok(ago) = dto::parse_span(text) {
        return Ok(Wall(now.0.saturating_sub(millis(ago))));
    }
    let at = dto::parse_time(text)
        .map_err(|error| format!("{error}, or how long ago, for example 24h"))?;
    let checked = convert::time("since", Some(&at)).map_err(|refusal| refusal.detail)?;
    Ok(checked.unwrap_or_default())
}

/// One task with everything that is kept of it.
pub(super) async fn one(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let record = gateway.handle.task(params::task_id(path)?).await?;
    json(
        StatusCode::OK,
        &TaskOut::whole(convert::task_proto(&record, false)),
    )
}

/// What came of a task: 200 once it is final, 202 with its state until then.
pub(super) async fn result(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    let wait = wait_of(&Params::of(&uri, &["wait"], &[])?)?;
    let task = params::task_id(path)?;
    let record = match wait {
        Some(patience) => patiently(&gateway, task, patience).await?,
        None => gateway.handle.task(task).await?,
    };
    if record.is_final() {
        return json(
            StatusCode::OK,
            &ResultOut::from(convert::task_proto(&record, true)),
        );
    }
    json(
        StatusCode::ACCEPTED,
        &StateOut::from(convert::task_proto(&record, false)),
    )
}

/// Asks for a task to be ended; 202 with where it stands then. With `wait`, once it has ended or the time is up.
pub(super) async fn cancel(
    State(gateway): State<Arc<Gateway>>,
    Extension(principal): Extension<Principal>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Answer {
    let wait = wait_of(&Params::of(request.uri(), &["wait"], &[])?)?;
    let task = params::task_id(path)?;
    let reason = reason_of(request).await?;
    let state = gateway.handle.cancel(principal, task, &reason).await?;
    let Some(patience) = wait.filter(|_| !state.status.is_final()) else {
        return json(
            StatusCode::ACCEPTED,
            &StateOut::from(convert::state_proto(&state)),
        );
    };
    let record = patiently(&gateway, task, patience).await?;
    json(
        StatusCode::ACCEPTED,
        &StateOut::from(convert::task_proto(&record, false)),
    )
}

/// Why a task stands where it stands, node by node.
pub(super) async fn explain(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let task = params::task_id(path)?;
    let explained = match gateway.handle.explain(task).await? {
        Some(explained) => convert::explanation(&explained, gateway.handle.now()),
        None => ended(&gateway, task).await?,
    };
    json(StatusCode::OK, &dto::explanation(explained))
}

/// What is there to say about a task that waits no more.
async fn ended(gateway: &Gateway, task: TaskId) -> Result<v1::ExplainTaskResponse, Problem> {
    let state = gateway
        .handle
        .states(vec![task])
        .await?
        .into_iter()
        .next()
        .flatten();
    let state = state.ok_or_else(|| unknown(task))?;
    Ok(v1::ExplainTaskResponse {
        state: Some(convert::state_proto(&state)),
        ..v1::ExplainTaskResponse::default()
    })
}

/// Waits until a task is final, the time is up, or the server is to end.
async fn patiently(
    gateway: &Gateway,
    task: TaskId,
    patience: Duration,
) -> Result<TaskRecord, Problem> {
    let waited = tokio::select! {
        waited = gateway.handle.wait_final(task, patience) => Some(waited?.0),
        () = gateway.stop.cancelled() => None,
    };
    match waited {
        Some(record) => Ok(record),
        None => Ok(gateway.handle.task(task).await?),
    }
}

fn wait_of(params: &Params) -> Result<Option<Duration>, Problem> {
    params.read("wait", |text| {
        let wait = dto::parse_span(text)?;
        let longest = WAIT_MOST.as_secs();
        (wait <= WAIT_MOST)
            .then_some(wait)
            .ok_or_else(|| format!("at most {longest} s a request; ask again after that"))
    })
}

/// The reason in the body, if there is a body.
async fn reason_of(request: Request<Body>) -> Result<String, Problem> {
    use hyper::body::Body as _;
    if request.body().is_end_stream() {
        return Ok(String::new());
    }
    let text = super::body::json(request, REASON_BYTES).await?;
    dto::reason(&text)
}
