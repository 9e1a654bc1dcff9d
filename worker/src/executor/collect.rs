//! What a process that ended well has left: its result and its output files. Blocks on the disk.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::json;

use super::api::Terms;
use super::output::Output;
use super::workdir::WorkDir;
use crate::model::{OutputFile, Stream};

/// Most output files of a task.
const MAX_FILES: usize = 1000;

/// Deepest nesting of a result, as for parameters.
const MAX_DEPTH: usize = 64;

/// Standard output that is no JSON is quoted in the result up to this size.
const QUOTED: usize = 64 * 1024;

/// Result and files, or what is wrong with them; without a directory when that holds neither.
pub(super) fn collect(
    dir: Option<&WorkDir>,
    terms: &Terms,
    output: &Output,
) -> Result<(String, Vec<OutputFile>), String> {
    let Some(dir) = dir else {
        return Ok((from_stdout(output, terms.max_result_bytes), Vec::new()));
    };
    let result = match read_result(&dir.result(), terms.max_result_bytes)? {
        Some(result) => result,
        None => from_stdout(output, terms.max_result_bytes),
    };
    let files = output_files(&dir.output_dir(), terms.max_output_bytes)?;
    Ok((result, files))
}

/// The result file, when the process wrote one.
fn read_result(path: &Path, limit: usize) -> Result<Option<String>, String> {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(None);
    };
    if !meta.is_file() {
        return Err("the result ($OPENCLAW_CLUSTER_RESULT) is not a plain file".to_owned());
    }
    let bytes = read_at_most(path, limit)
        .map_err(|error| format!("cannot read the result file: {error}"))?;
    if bytes.len() > limit {
        return Err(format!(
            "the result has {} bytes; the limit is {limit} bytes: leave large results as output files",
            meta.len()
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| "the result file is not UTF-8".to_owned())?;
    match json_value(&text) {
        Ok(()) => Ok(Some(text.trim().to_owned())),
        Err(error) => Err(format!("the result file is not one JSON value: {error}")),
    }
}

/// Standard output as the result: itself when it is one JSON value, else quoted.
fn from_stdout(output: &Output, limit: usize) -> String {
    let (bytes, complete) = output.stdout();
    if complete
        && let Ok(text) = std::str::from_utf8(bytes)
        && json_value(text).is_ok()
    {
        return text.trim().to_owned();
    }
    // A character may take six bytes in JSON.
    let quoted = &bytes[..bytes.len().min(QUOTED).min(limit / 8)];
    let text = String::from_utf8_lossy(quoted);
    if complete && quoted.len() == bytes.len() {
        json!({ "stdout": text }).to_string()
    } else {
        json!({ "stdout": text, "truncated": true, "stdout_bytes": output.size(Stream::Stdout) })
            .to_string()
    }
}

/// Checks that `text` is one JSON value, not nested too deeply.
fn json_value(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} deep"));
        }
    }
    Ok(())
}

/// Every plain file below `root`, by name. Links and special files are left out; so is a `root` that the process
/// removed. One that it put something else in the place of is refused: what a link leads to is not its output.
fn output_files(root: &Path, limit: usize) -> Result<Vec<OutputFile>, String> {
    match fs::symlink_metadata(root) {
        Ok(meta) if meta.is_dir() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        _ => {
            return Err(
                "the output directory ($OPENCLAW_CLUSTER_OUTPUT_DIR) is no directory any more"
                    .to_owned(),
            );
        }
    }
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    let mut total: u64 = 0;
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |error: io::Error| format!("cannot read the output directory: {error}");
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            let name = format!("{prefix}{}", checked_name(&name)?);
            if kind.is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else if kind.is_file() {
                total += entry.metadata().map_err(failed)?.len();
                found.push((name, entry.path()));
            }
            check_size(total, found.len() + folders.len(), limit)?;
        }
    }
    found.sort();
    read_all(found, limit)
}

fn read_all(found: Vec<(String, PathBuf)>, limit: usize) -> Result<Vec<OutputFile>, String> {
    let mut left = limit;
    let mut files = Vec::with_capacity(found.len());
    for (name, path) in found {
        let content = read_at_most(&path, left)
            .map_err(|error| format!("cannot read output file `{name}`: {error}"))?;
        left = left
            .checked_sub(content.len())
            .ok_or_else(|| too_large(limit))?;
        files.push(OutputFile {
            name,
            content: Bytes::from(content),
        });
    }
    Ok(files)
}

fn check_size(total: u64, count: usize, limit: usize) -> Result<(), String> {
    if count > MAX_FILES {
        return Err(format!(
            "more than {MAX_FILES} output files: pack them into one"
        ));
    }
    if total > limit as u64 {
        Err(too_large(limit))
    } else {
        Ok(())
    }
}

fn too_large(limit: usize) -> String {
    format!("the output files are larger than the limit of {limit} bytes together")
}

/// A name that means the same on every platform.
fn checked_name(name: &OsStr) -> Result<&str, String> {
    let is_plain = |name: &&str| !name.contains('\\') && !name.chars().any(char::is_control);
    name.to_str().filter(is_plain).ok_or_else(|| {
        let shown = name.to_string_lossy();
        format!(
            "output file `{}` cannot travel: name it in UTF-8 without `\\` and control characters",
            shown.escape_debug()
        )
    })
}

/// A file up to one byte more than `limit`.
fn read_at_most(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
