//! Whether the coordinator is well. Open to everybody: strangers learn the state, not the reason.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use openclaw_core::effect::Refusal;
use serde::Serialize;

use super::answer::{Answer, json};
use super::dto::stamp;
use super::problem::Problem;
use super::state::Gateway;
use crate::serve::Peer;
use crate::shared::Phase;

const SERVICE: &str = "openclaw-coordinator";

#[derive(Serialize)]
struct Health {
    status: &'static str,
    timestamp: String,
    service: &'static str,
    version: &'static str,
    cluster: Option<String>,
    epoch: Option<u64>,
    store: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// 200 while the process answers; `status` tells `healthy` from `degraded`.
pub(super) async fn health(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
) -> Answer {
    json(StatusCode::OK, &look(&gateway, peer, "healthy"))
}

/// 200 while the process answers.
pub(super) async fn livez(State(gateway): State<Arc<Gateway>>) -> Answer {
    #[derive(Serialize)]
    struct Alive {
        status: &'static str,
        timestamp: String,
    }
    json(
        StatusCode::OK,
        &Alive {
            status: "alive",
            timestamp: stamp(gateway.handle.now().wall),
        },
    )
}

/// 200 while the store is open and the driver turns; else 503 with the reason.
pub(super) async fn readyz(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
) -> Answer {
    match gateway.handle.health().trouble {
        None => json(StatusCode::OK, &look(&gateway, peer, "ready")),
        Some(trouble) => {
            let detail = told(&trouble, peer).to_owned();
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                trouble.code.as_str(),
                "Not ready",
                detail,
            )
            .retry_after(1))
        }
    }
}

fn look(gateway: &Gateway, peer: Peer, well: &'static str) -> Health {
    let health = gateway.handle.health();
    let run = match &health.phase {
        Phase::Ready(run) => Some(run),
        _ => None,
    };
    Health {
        status: if health.is_ready() { well } else { "degraded" },
        timestamp: stamp(gateway.handle.now().wall),
        service: SERVICE,
        version: env!("CARGO_PKG_VERSION"),
        cluster: is_local(peer).then(|| gateway.cluster_name.clone()),
        epoch: run.map(|run| run.epoch),
        store: run.map(|run| run.engine),
        reason: health
            .trouble
            .as_ref()
            .map(|trouble| told(trouble, peer).to_owned()),
    }
}

/// Reasons name paths of this machine: only this machine is told.
fn told(trouble: &Refusal, peer: Peer) -> &str {
    if is_local(peer) {
        &trouble.detail
    } else {
        "not ready; ask on the coordinator's own machine for the reason"
    }
}

fn is_local(peer: Peer) -> bool {
    peer.remote.ip().to_canonical().is_loopback()
}
