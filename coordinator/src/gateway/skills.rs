//! Skills of all nodes, from the published view.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::{StatusCode, Uri};
use openclaw_common::code::ErrorCode;

use super::answer::{Answer, json};
use super::dto::SkillOut;
use super::params::{self, Params};
use super::state::Gateway;
use crate::grpc::convert;
use crate::reply;

/// All skills by name.
pub(super) async fn list(State(gateway): State<Arc<Gateway>>, uri: Uri) -> Answer {
    Params::of(&uri, &[], &[])?;
    let skills = convert::cluster_skills(&gateway.handle.view().view);
    json(
        StatusCode::OK,
        &skills.into_iter().map(SkillOut::from).collect::<Vec<_>>(),
    )
}

/// One skill.
pub(super) async fn one(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Answer {
    Params::of(&uri, &[], &[])?;
    let name = params::name(path)?;
    let skills = convert::cluster_skills(&gateway.handle.view().view);
    let found = skills
        .into_iter()
        .find(|known| known.skill.as_ref().is_some_and(|skill| skill.name == name));
    let Some(found) = found else {
        let shown: String = name.chars().take(80).collect();
        let text = format!("no node has a skill `{shown}`; /api/v1/skills lists all of them");
        return Err(reply::refusal(ErrorCode::NotFound, text).into());
    };
    json(StatusCode::OK, &SkillOut::from(found))
}
