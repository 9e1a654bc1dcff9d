//! What is wrong with the text of a configuration file, in words for the person who wrote it: place, cause, line.

use std::path::Path;

use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

use crate::error::ConfigError;
use crate::keys::nearest;

/// Turns an error of the YAML library into `file:line:column: cause` and the line with a mark under the place.
pub(crate) fn complaint(error: &Error, text: &str, shown: &Path) -> ConfigError {
    let cause = cause(error.without_snippet());
    let name = shown.display();
    // Line 0 is how the library says that it does not know.
    let Some(at) = error.location().filter(|at| at.line() > 0) else {
        return ConfigError::File {
            path: shown.to_owned(),
            line: None,
            text: format!("{name}: {cause}"),
        };
    };
    let (line, column) = (at.line(), at.column());
    let mut message = format!("{name}:{line}:{column}: {cause}");
    let index = usize::try_from(line - 1).unwrap_or(usize::MAX);
    if let Some(written) = text.lines().nth(index) {
        message.push_str(&marked(written, line, usize::try_from(column).unwrap_or(1)));
    }
    ConfigError::File {
        path: shown.to_owned(),
        line: Some(line),
        text: message,
    }
}

fn cause(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => {
            let hint = match nearest(field, expected.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known are {}", expected.join(", ")),
            };
            format!("there is no setting `{}` here; {hint}", printable(field))
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            format!(
                "`{}` is none of {}",
                printable(variant),
                expected.join(", ")
            )
        }
        Error::InvalidScalar { ty, .. } => format!("expected {}", type_in_words(ty)),
        Error::Unexpected { expected, .. } => format!("expected {}", node_in_words(expected)),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{}` stands here for the second time", printable(key))
        }
        other => printable(&UserMessageFormatter.format_message(other)),
    }
}

fn type_in_words(ty: &str) -> &str {
    match ty {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" => "a whole number, 0 or more",
        "floating point" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}

fn node_in_words(node: &str) -> &str {
    match node {
        "mapping start" => "keys with values, as in `port: 8888`",
        "sequence start" => "a list, as in [one, two]",
        "string scalar" | "scalar" => "a single value",
        other => other,
    }
}

/// Text of the file for a terminal: nothing that moves its cursor, and not without end.
fn printable(text: &str) -> String {
    text.chars()
        .take(300)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A line with its number and a mark under a column (from 1).
fn marked(written: &str, line: u64, column: usize) -> String {
    let shown = printable(written);
    let gutter = line.to_string();
    let margin = " ".repeat(gutter.len());
    let indent = " ".repeat(column.saturating_sub(1).min(shown.chars().count()));
    format!("\n{gutter} | {shown}\n{margin} | {indent}^")
}
