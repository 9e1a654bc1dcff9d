//! Checks of single fields. Every refusal is a sentence of the form `field: what is wrong, and what is right`.

use openclaw_common::code::ErrorCode;
use openclaw_common::time::Wall;
use openclaw_core::effect::Refusal;

use super::limits::{LATEST_MS, LIST_ITEMS, LONGEST_MS, NAME_BYTES};
use crate::reply::refusal;

/// The field has a wrong form or value.
pub fn invalid(field: &str, text: impl std::fmt::Display) -> Refusal {
    refusal(ErrorCode::InvalidArgument, format!("{field}: {text}"))
}

/// The field is over its limit.
pub(super) fn too_large(field: &str, size: usize, limit: usize, unit: &str) -> Refusal {
    refusal(
        ErrorCode::TooLarge,
        format!("{field}: {size} {unit} are over the limit of {limit}"),
    )
}

/// At most `limit` bytes.
pub(super) fn within(field: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit {
        return Err(too_large(field, text.len(), limit, "bytes"));
    }
    Ok(())
}

/// A word or a few for people and logs: at most `NAME_BYTES`, no control characters.
pub(super) fn label(field: &str, text: &str) -> Result<(), Refusal> {
    within(field, text, NAME_BYTES)?;
    if text.chars().any(char::is_control) {
        return Err(invalid(
            field,
            "holds a control character; use printable text",
        ));
    }
    Ok(())
}

/// At most `LIST_ITEMS` entries.
pub(super) fn listed(field: &str, count: usize) -> Result<(), Refusal> {
    if count > LIST_ITEMS {
        return Err(too_large(field, count, LIST_ITEMS, "entries"));
    }
    Ok(())
}

/// Tags: labels that are not empty; sorted, without repeats.
pub(super) fn tags(field: &str, tags: &[String]) -> Result<Vec<Box<str>>, Refusal> {
    listed(field, tags.len())?;
    for tag in tags {
        label(field, tag)?;
        if tag.trim().is_empty() {
            return Err(invalid(field, "a tag is empty"));
        }
    }
    let mut sorted: Vec<Box<str>> = tags.iter().map(|tag| tag.as_str().into()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    Ok(sorted)
}

/// The name of a custom pool: 1 to 64 of `a-z0-9-_.`.
pub(super) fn pool_name(field: &str, name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let shown: String = name.chars().take(80).collect();
        return Err(invalid(
            field,
            format!("`{shown}` is no pool name; use 1 to 64 of a-z, 0-9, `-`, `_`, `.`"),
        ));
    }
    Ok(())
}

/// The name of a file below a directory: no folders, nothing that a platform treats specially.
pub(super) fn file_name(field: &str, name: &str) -> Result<(), Refusal> {
    label(field, name)?;
    let forbidden = |c: char| matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.is_empty()
        || name == "."
        || name == ".."
        || name.contains(forbidden)
        || name.ends_with(['.', ' '])
    {
        return Err(invalid(
            field,
            "not a plain file name; give one without folders and without any of \\ / : * ? \" < > |",
        ));
    }
    Ok(())
}

/// JSON text whose outermost value is an object; empty text stands for none.
pub(super) fn json_object(
    field: &str,
    text: &str,
    limit: usize,
    depth: usize,
) -> Result<(), Refusal> {
    if text.is_empty() {
        return Ok(());
    }
    within(field, text, limit)?;
    let found = json_depth(text.as_bytes());
    if found > depth {
        return Err(invalid(
            field,
            format!("nested {found} levels deep; the limit is {depth}"),
        ));
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(invalid(field, format!("not JSON: {error}")));
    }
    if !text.trim_start().starts_with('{') {
        return Err(invalid(
            field,
            "must be a JSON object, like {\"text\": \"hello\"}",
        ));
    }
    Ok(())
}

/// The deepest nesting of brackets outside strings. A scan without recursion: the text comes from the network.
fn json_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A span of more than nothing, in milliseconds, rounded up; `None` when left out.
pub fn span(field: &str, duration: Option<&prost_types::Duration>) -> Result<Option<u64>, Refusal> {
    let Some(duration) = duration else {
        return Ok(None);
    };
    let whole = u64::try_from(duration.seconds).ok();
    let part = u64::try_from(duration.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    let (Some(seconds), Some(nanos)) = (whole, part) else {
        return Err(invalid(
            field,
            "not a span of time; seconds and nanos must not be negative",
        ));
    };
    let ms = seconds
        .saturating_mul(1_000)
        .saturating_add(nanos.div_ceil(1_000_000));
    match ms {
        0 => Err(invalid(field, "must be more than 0; leave it out for none")),
        1..=LONGEST_MS => Ok(Some(ms)),
        _ => Err(invalid(
            field,
            "longer than ten years; leave it out for none",
        )),
    }
}

/// A time on the wall clock; `None` when left out.
pub fn time(field: &str, at: Option<&prost_types::Timestamp>) -> Result<Option<Wall>, Refusal> {
    let Some(at) = at else {
        return Ok(None);
    };
    let seconds = u64::try_from(at.seconds).ok();
    let nanos = u64::try_from(at.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    match (seconds, nanos) {
        (Some(seconds), Some(nanos)) if seconds <= LATEST_MS / 1_000 => {
            Ok(Some(Wall(seconds * 1_000 + nanos / 1_000_000)))
        }
        _ => Err(invalid(field, "not a time between 1970 and 9999")),
    }
}

/// A number that must be a known value of a wire enumeration.
pub(super) fn word<E: TryFrom<i32>>(field: &str, number: i32) -> Result<E, Refusal> {
    E::try_from(number).map_err(|_| {
        invalid(
            field,
            format!("{number} is not a value that this version knows"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(json_depth(br#"{"a": [1, {"b": "]]][[["}]}"#), 3);
        assert_eq!(json_depth(br#"{"a": "\"{{{{"}"#), 1);
        assert_eq!(json_depth(b"12"), 0);
    }

    #[test]
    fn a_million_brackets_are_refused_without_recursion() {
        let text = "[".repeat(1_000_000);
        let refused = json_object("parameters", &text, 2_000_000, 64).unwrap_err();
        assert_eq!(
            refused.detail,
            "parameters: nested 1000000 levels deep; the limit is 64"
        );
    }

    #[test]
    fn only_objects_are_parameters() {
        assert!(json_object("parameters", "", 10, 4).is_ok());
        assert!(json_object("parameters", " {\"a\": [1]}", 20, 4).is_ok());
        for bad in ["[1]", "1", "{", "{}x", "{a: 1}"] {
            let refused = json_object("parameters", bad, 20, 4).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidArgument, "{bad}");
        }
        let refused = json_object("parameters", "{\"a\": 12345}", 5, 4).unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooLarge);
    }

    #[test]
    fn spans_are_positive_and_bounded() {
        let duration = |seconds, nanos| prost_types::Duration { seconds, nanos };
        assert_eq!(span("timeout", None), Ok(None));
        assert_eq!(span("timeout", Some(&duration(1, 1))), Ok(Some(1_001)));
        for (seconds, nanos) in [(0, 0), (-1, 0), (1, -5), (i64::MAX, 0), (1, 2_000_000_000)] {
            assert!(span("timeout", Some(&duration(seconds, nanos))).is_err());
        }
    }

    #[test]
    fn file_names_hold_no_folders() {
        assert!(file_name("inputs[0].name", "talk 1.m4a").is_ok());
        for bad in ["", ".", "..", "a/b", "a\\b", "c:x", "x\n", "end."] {
            assert!(file_name("inputs[0].name", bad).is_err(), "{bad:?}");
        }
    }
}
