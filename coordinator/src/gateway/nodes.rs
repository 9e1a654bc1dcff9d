//! Nodes and the cluster, from the published view.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::{StatusCode, Uri};
use openclaw_common::code::ErrorCode;
use openclaw_common::status::NodeStatus;
use openclaw_common::time::millis;
use openclaw_core::view::NodeView;

use super::answer::{Answer, bytes, encode, json};
use super::dto::{ClusterHealth, NodeHealth, NodeOut};
use super::params::{self, Params};
use super::problem::Problem;
use super::state::Gateway;
use crate::driver::PublishedView;
use crate::reply;

/// All nodes, or those of some states.
pub(super) async fn list(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    let params = Params::of(&uri, &["status_filter"], &["status_filter"])?;
    let wanted = params.read_all("status_filter", |word| {
        word.parse::<NodeStatus>()
            .map_err(|error| error.to_string())
    })?;
    let view = gateway.handle.view();
    if wanted.is_empty() {
        return Ok(bytes(StatusCode::OK, all_nodes(&view)?));
    }
    some(&view, |node| wanted.contains(&node.status))
}

/// Nodes with room.
pub(super) async fn online(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    Params::of(&uri, &[], &[])?;
    some(&gateway.handle.view(), |node| {
        node.status == NodeStatus::Online
    })
}

/// Nodes with room that can run a skill of exactly this name.
pub(super) async fn with_skill(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let skill = params::name(path)?;
    let can = |node: &NodeView| {
        let known = node.inventory.skills.get(skill.as_str());
        known.is_some_and(|known| known.eligible)
            && !node.broken_skills.contains_key(skill.as_str())
    };
    some(&gateway.handle.view(), |node| {
        node.status == NodeStatus::Online && can(node)
    })
}

/// One node.
pub(super) async fn one(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let name = params::name(path)?;
    json(
        StatusCode::OK,
        &NodeOut::from(find(&gateway.handle.view(), &name)?),
    )
}

/// How one node is.
pub(super) async fn health(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let name = params::name(path)?;
    let (view, now) = (gateway.handle.view(), gateway.handle.now().wall);
    json(
        StatusCode::OK,
        &NodeHealth::of(find(&view, &name)?, now, millis(gateway.heartbeat_timeout)),
    )
}

/// How the cluster is.
pub(super) async fn cluster(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    Params::of(&uri, &[], &[])?;
    let (view, now) = (gateway.handle.view(), gateway.handle.now().wall);
    json(
        StatusCode::OK,
        &ClusterHealth::of(&view.view, now, millis(gateway.heartbeat_timeout)),
    )
}

/// The list that most clients ask for, again and again: written once for each view.
fn all_nodes(view: &PublishedView) -> Result<Bytes, Problem> {
    if let Some(made) = view.nodes_json.get() {
        return Ok(made.clone());
    }
    let nodes: Vec<NodeOut> = view.view.nodes.iter().map(NodeOut::from).collect();
    let made = Bytes::from(encode(&nodes)?);
    Ok(view.nodes_json.get_or_init(|| made).clone())
}

fn some(view: &PublishedView, wanted: impl Fn(&NodeView) -> bool) -> Answer {
    let nodes = view.view.nodes.iter().filter(|node| wanted(node));
    json(
        StatusCode::OK,
        &nodes.map(NodeOut::from).collect::<Vec<_>>(),
    )
}

fn find<'a>(view: &'a PublishedView, name: &str) -> Result<&'a NodeView, Problem> {
    view.view
        .nodes
        .iter()
        .find(|node| *node.name == *name)
        .ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            reply::refusal(
                ErrorCode::NotFound,
                format!("there is no node `{shown}`; /api/v1/nodes lists all of them"),
            )
            .into()
        })
}
