//! What the handlers share, and which of them answers which path.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use super::{health, logs, nodes, skills, submit, tasks};
use crate::handle::Handle;
use crate::task_logs::TaskLogs;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The way to the coordinator's core and store.
    pub handle: Handle,
    /// What tasks printed.
    pub logs: TaskLogs,
    /// Silence after which a node counts as timed out.
    pub heartbeat_timeout: Duration,
    /// The cluster's name for people.
    pub cluster_name: String,
    /// Ends requests that wait when the server is to end.
    pub stop: CancellationToken,
}

/// All paths of the API, without a fallback.
pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/api/v1/nodes", get(nodes::list))
        .route("/api/v1/nodes/online", get(nodes::online))
        .route("/api/v1/nodes/skills/{skill}", get(nodes::with_skill))
        .route("/api/v1/nodes/{id}", get(nodes::one))
        .route("/api/v1/nodes/{id}/health", get(nodes::health))
        .route("/api/v1/cluster/health", get(nodes::cluster))
        .route("/api/v1/skills", get(skills::list))
        .route("/api/v1/skills/{name}", get(skills::one))
        .route("/api/v1/tasks", get(tasks::list).post(submit::submit))
        .route("/api/v1/tasks/{id}", get(tasks::one))
        .route("/api/v1/tasks/{id}/result", get(tasks::result))
        .route("/api/v1/tasks/{id}/cancel", post(tasks::cancel))
        .route("/api/v1/tasks/{id}/logs", get(logs::logs))
        .route("/api/v1/tasks/{id}/explain", get(tasks::explain))
        .with_state(Arc::new(gateway))
}
