//! What is wrong with a manifest, and where.

use std::fmt;

/// Why a skill's own words cannot be used: the file, the line when it is known, and what was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// `SKILL.md`, `skill.json`, or `recipes/NAME.json`.
    pub file: String,
    /// From 1; `None` when the fault has no place.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl ManifestError {
    /// A fault of the file as a whole.
    pub fn whole(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            message: message.into(),
        }
    }

    /// A fault on a line, counted from 1.
    pub fn at(file: impl Into<String>, line: u64, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            message: message.into(),
        }
    }

    /// What `serde_json` says about `text`, with its place taken out of the sentence.
    pub(crate) fn json(file: impl Into<String>, text: &str, error: &serde_json::Error) -> Self {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let said = error.to_string();
        let line = if error.is_data() {
            line_of_value(text, error)
        } else {
            error.line()
        };
        Self {
            file: file.into(),
            line: u64::try_from(line).ok().filter(|line| *line > 0),
            message: said.strip_suffix(&place).unwrap_or(&said).to_owned(),
        }
    }
}

/// The line of a value that was read but refused. By then the parser has gone on, past white space and perhaps the end of
/// what the value stands in.
fn line_of_value(text: &str, error: &serde_json::Error) -> usize {
    let before = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let read = text
        .as_bytes()
        .get(..before + error.column())
        .unwrap_or(text.as_bytes());
    let read = read.trim_ascii_end();
    let value = read
        .strip_suffix(b"}")
        .or_else(|| read.strip_suffix(b"]"))
        .unwrap_or(read)
        .trim_ascii_end();
    1 + value.split(|byte| *byte == b'\n').skip(1).count()
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            if self.file.ends_with("SKILL.md") || self.file.ends_with("skill.json") {
                "manifest"
            } else {
                "recipe"
            },
        )?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {} ({})", self.message, self.file)
    }
}

impl std::error::Error for ManifestError {}
