//! HTTP and gRPC as one router, with one answer for what neither of them knows.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use http::{Method, StatusCode, Uri};
use tonic::Code;
use tonic::service::Routes;

use super::edge::{Edge, pass};
use crate::gateway::problem::Problem;

/// Puts the faces together behind the edge. `http` must have no fallback of its own.
pub fn app(http: Router, grpc: Routes, edge: Edge) -> Router {
    // A fallback set before `merge` would make it panic, and without one here gRPC's would answer unknown paths.
    http.merge(grpc.prepare().into_axum_router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(edge, pass))
}

async fn unknown_path(method: Method, uri: Uri) -> Response {
    Problem::new(
        StatusCode::NOT_FOUND,
        "UNKNOWN_PATH",
        "No such path",
        format!(
            "there is no {method} {}; the API is below /api/v1/, see also /health",
            shown(&uri)
        ),
    )
    .grpc(Code::Unimplemented)
    .into()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "Wrong method",
        format!(
            "{} does not take {method}; the `Allow` header names what it takes",
            shown(&uri)
        ),
    )
    .grpc(Code::Unimplemented)
    .into()
}

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}
