//! Files that travel with the task.

use std::io::Read;
use std::path::Path;

use openclaw_proto::v1;

use crate::failure::Failure;
use crate::output;

/// Most bytes of all files together.
pub(super) const LIMIT: u64 = 512 * 1024;
/// Longest name of a file.
const NAME_LIMIT: usize = 255;

/// Reads the files of `--input`. Sizes are checked before contents are read.
pub(super) fn read(inputs: &[String]) -> Result<Vec<v1::InputFile>, Failure> {
    let mut files: Vec<v1::InputFile> = Vec::new();
    let mut left = LIMIT;
    for input in inputs {
        let (name, path) = split(input)?;
        check_name(&name, input)?;
        if files.iter().any(|file| file.name == name) {
            return Err(Failure::usage(format!("two inputs are named `{name}`"))
                .hint(format!("give one another name: --input other={path}")));
        }
        let content = if path == "-" {
            take(std::io::stdin().lock(), input, left)
        } else {
            file(&path, input, left)
        }?;
        left = left.saturating_sub(content.len() as u64);
        files.push(v1::InputFile {
            name,
            content: Some(v1::input_file::Content::Inline(content.into())),
        });
    }
    Ok(files)
}

/// Name and path of `[NAME=]PATH`. A file whose own name holds an equals sign is taken as it is.
fn split(input: &str) -> Result<(String, String), Failure> {
    let renamed = input
        .split_once('=')
        .filter(|(name, _)| !name.is_empty() && !name.contains(['/', '\\']));
    if let Some((name, path)) = renamed.filter(|_| !Path::new(input).exists()) {
        return Ok((name.to_owned(), path.to_owned()));
    }
    if input == "-" {
        return Err(Failure::usage("standard input needs a name").hint("write --input NAME=-"));
    }
    let name = Path::new(input).file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Failure::usage(format!("--input {input} names no file")).hint("name a file")
    })?;
    Ok((name.to_owned(), input.to_owned()))
}

fn check_name(name: &str, input: &str) -> Result<(), Failure> {
    let plain =
        !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\\', '\0']);
    if plain && name.len() <= NAME_LIMIT {
        return Ok(());
    }
    Err(
        Failure::usage(format!("--input {input}: `{name}` cannot name a file"))
            .hint("a plain name without folders, at most 255 bytes: --input NAME=PATH"),
    )
}

fn file(path: &str, input: &str, left: u64) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| Failure::usage(format!("cannot read --input {input}: {why}"));
    let meta = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if meta.is_dir() {
        return Err(failed("it is a folder".to_owned())
            .hint("name files, one --input each, or pack the folder first"));
    }
    if meta.is_file() && meta.len() > left {
        return Err(too_large(input, Some(meta.len()), left));
    }
    let opened = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    take(opened, input, left)
}

fn take(from: impl Read, input: &str, left: u64) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = from.take(left.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|error| Failure::usage(format!("cannot read --input {input}: {error}")))?;
    if content.len() as u64 > left {
        return Err(too_large(input, None, left));
    }
    Ok(content)
}

fn too_large(input: &str, size: Option<u64>, left: u64) -> Failure {
    let size = size
        .map(|size| format!(" ({})", output::bytes(size)))
        .unwrap_or_default();
    let others = if left < LIMIT {
        format!(" together with the others ({} left)", output::bytes(left))
    } else {
        String::new()
    };
    let message = format!(
        "--input {input}{size} is too large{others}: all inputs of a task together may be {}",
        output::bytes(LIMIT)
    );
    Failure {
        code: "TOO_LARGE".to_owned(),
        ..Failure::usage(message)
    }
    .hint("make it smaller, or put it on the node and tell the skill its path there with --param")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(file: &v1::InputFile) -> &[u8] {
        match &file.content {
            Some(v1::input_file::Content::Inline(bytes)) => bytes,
            None => &[],
        }
    }

    #[test]
    fn files_are_read_under_their_own_name_or_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("a.txt"), "one").unwrap();
        std::fs::write(path("b=c.txt"), "two").unwrap();
        let files = read(&[
            path("a.txt"),
            format!("other={}", path("a.txt")),
            path("b=c.txt"),
        ])
        .unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.txt", "other", "b=c.txt"]);
        assert_eq!(inline(&files[2]), b"two");
    }

    #[test]
    fn too_much_is_refused_with_the_limit_before_it_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join("half").display().to_string();
        std::fs::write(&half, vec![0; 300 * 1024]).unwrap();
        assert_eq!(read(std::slice::from_ref(&half)).unwrap().len(), 1);
        let failure = read(&[half.clone(), format!("second={half}")]).unwrap_err();
        assert_eq!(failure.code, "TOO_LARGE");
        assert!(
            failure.message.contains("300 KiB") && failure.message.contains("512 KiB"),
            "{failure}"
        );
        let exact = dir.path().join("exact").display().to_string();
        std::fs::write(&exact, vec![0; 512 * 1024]).unwrap();
        assert!(read(&[exact]).is_ok());
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().display().to_string();
        let twice = dir.path().join("x").display().to_string();
        std::fs::write(&twice, "").unwrap();
        for (inputs, word) in [
            (vec![folder], "it is a folder"),
            (vec!["/no/such/file".to_owned()], "/no/such/file"),
            (vec![twice.clone(), twice], "two inputs are named"),
            (vec!["-".to_owned()], "standard input needs a name"),
            (vec!["..=/etc/hosts".to_owned()], "cannot name a file"),
        ] {
            let failure = read(&inputs).unwrap_err();
            assert!(failure.message.contains(word), "{failure}");
        }
    }
}
