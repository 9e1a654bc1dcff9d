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

    /// What `serde_json` says, with its place taken out of the sentence.
    pub(crate) fn json(file: impl Into<String>, error: &serde_json::Error) -> Self {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = error.to_string();
        let message = text.strip_suffix(&place).unwrap_or(&text);
        Self {
            file: file.into(),
            line: Some(error.line() as u64).filter(|line| *line > 0),
            message: message.into(),
        }
    }
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
