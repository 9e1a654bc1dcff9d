//! What stands in the address: ids in the path, parameters behind the question mark. All of it is checked by name.

use axum::extract::Query;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use http::{StatusCode, Uri};
use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;

use super::dto;
use super::problem::Problem;
use crate::reply;

/// Most parameters of one request.
const MOST: usize = 64;

/// The parameters of one request; every name is one that the path knows.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the query and refuses names that are not among `known`, and names given twice unless they are `lists`.
    pub(super) fn of(uri: &Uri, known: &[&'static str], lists: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| {
            bad(
                "query",
                "the part behind `?` cannot be read: write name=value, joined by &",
            )
        })?;
        if pairs.len() > MOST {
            return Err(bad(
                "query",
                format!("{} parameters are over the limit of {MOST}", pairs.len()),
            ));
        }
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(60).collect();
                return Err(bad(
                    &shown,
                    dto::known("parameter", name, known.iter().copied()),
                ));
            }
            let again = pairs[..index].iter().any(|(other, _)| other == name);
            if again && !lists.contains(&name.as_str()) {
                return Err(bad(name, format!("{name}: given twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// All values of a parameter, those joined by commas apart.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.0.iter().filter(move |(other, _)| other == name);
        given
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter as one text, commas and all.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let given = self.0.iter().find(|(other, _)| other == name);
        given
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A value read by `read`, whose error says what is wrong.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(read)
            .transpose()
            .map_err(|text| bad(name, format!("{name}: {text}")))
    }

    /// Whether a switch is on; its name alone turns it on.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self
            .0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
        {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(_) => Err(bad(name, format!("{name}: use true or false"))),
        }
    }

    /// Several values read by `read`.
    pub(super) fn read_all<T>(
        &self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Problem> {
        let read = self.all(name).map(read).collect::<Result<_, _>>();
        read.map_err(|text| bad(name, format!("{name}: {text}")))
    }
}

/// A parameter is wrong.
pub(super) fn bad(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "INVALID_ARGUMENT",
        "The address is not valid",
        detail,
    )
    .field(name)
}

/// The task that a path names. What is no task id names no task.
pub(super) fn task_id(
    path: Result<axum::extract::Path<String>, PathRejection>,
) -> Result<TaskId, Problem> {
    let text = name(path)?;
    text.parse()
        .map_err(|error| reply::refusal(ErrorCode::NotFound, format!("{error}")).into())
}

/// The name in a path.
pub(super) fn name(
    path: Result<axum::extract::Path<String>, PathRejection>,
) -> Result<String, Problem> {
    match path {
        Ok(axum::extract::Path(name)) => Ok(name),
        Err(PathRejection::FailedToDeserializePathParams(error)) => match error.kind() {
            ErrorKind::InvalidUtf8InPathParam { .. } => Err(bad("path", "the path is not UTF-8")),
            _ => Err(bad("path", "the path cannot be read")),
        },
        Err(_) => Err(bad("path", "the path cannot be read")),
    }
}
