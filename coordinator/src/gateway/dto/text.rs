//! Bodies as JSON text: syntax, depth, and problems that name the place.

use http::StatusCode;
use openclaw_common::code::ErrorCode;
use openclaw_core::effect::Refusal;

use super::json::{Field, Json, Wrong, place, plain, too_deep_at};
use crate::gateway::problem::Problem;

/// Levels of a body that holds no task.
const SHALLOW: usize = 8;

/// The text of a body as JSON, nested at most `depth` levels.
pub(super) fn parse(body: &[u8], depth: usize) -> Result<(Json<'_>, &str), Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = String::from_utf8_lossy(body.get(..error.valid_up_to()).unwrap_or_default());
        let (line, column) = place(&before, usize::MAX);
        malformed(format!(
            "the body is not UTF-8 at line {line}, column {column}"
        ))
        .at(line, column)
    })?;
    if let Some(offset) = too_deep_at(text, depth) {
        let (line, column) = place(text, offset);
        let detail = format!(
            "the body is nested too deeply: over {depth} levels at line {line}, column {column}"
        );
        return Err(refused(detail, None).at(line, column));
    }
    let json = Json::parse(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!(
            "the body is not JSON: {} at line {line}, column {column}",
            plain(&error)
        );
        malformed(detail).at(line, column)
    })?;
    Ok((json, text))
}

/// What could not be read, as the client is told.
pub(super) fn misread(wrong: Wrong, index: Option<usize>, whole: &str) -> Problem {
    let (line, column) = wrong.place_in(whole);
    let detail = if wrong.path.is_empty() {
        wrong.text
    } else {
        format!("{}: {}", wrong.path, wrong.text)
    };
    refused(detail, index).at(line, column)
}

/// The reason in a body `{"reason": "text"}`.
pub(crate) fn reason(body: &[u8]) -> Result<String, Problem> {
    const FIELDS: &[Field<String>] = &[("reason", |reason, json| {
        *reason = json.read("text")?;
        Ok(())
    })];
    let (json, text) = parse(body, SHALLOW)?;
    let mut reason = String::new();
    json.fill(&mut reason, FIELDS)
        .map_err(|wrong| misread(wrong, None, text))?;
    Ok(reason)
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "MALFORMED_JSON",
        "The body cannot be read",
        detail,
    )
}

fn refused(detail: String, index: Option<usize>) -> Problem {
    Problem::from(Refusal {
        code: ErrorCode::InvalidArgument,
        detail,
        index,
    })
}
