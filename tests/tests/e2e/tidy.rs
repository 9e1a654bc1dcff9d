//! Rules of the house that no compiler knows, over the files of the project.

use std::fs;
use std::path::Path;

use openclaw_tests::harness::project_dir;

/// Lines of production code that a file may have at most.
const MOST_LINES: usize = 600;

/// Versions below which a dependency has a known hole.
const AT_LEAST: [(&str, [u64; 3]); 2] = [("h2", [0, 4, 19]), ("bytes", [1, 11, 1])];

/// Every text file of the project, by its path from the project's folder.
fn files() -> Vec<(String, String)> {
    let root = project_dir();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let skipped = [
                "target",
                "data",
                "logs",
                "outputs",
                ".git",
                ".openclaw-dev",
                "__pycache__",
            ];
            if path.is_dir() {
                if !skipped.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((relative(&path, &root), text));
            }
        }
    }
    found
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

/// Lines that run in production: without blank lines and what follows the unit tests' head.
fn production_lines(text: &str) -> usize {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

fn is_test(path: &str) -> bool {
    let folders = ["/tests/", "/benches/"];
    // The store's conformance tests: compiled for tests only.
    let files = ["/tests.rs", "/conformance.rs"];
    path.starts_with("tests/")
        || folders.iter().any(|folder| path.contains(folder))
        || files.iter().any(|file| path.ends_with(file))
}

#[test]
fn no_file_of_production_code_is_too_long() {
    let long: Vec<_> = files()
        .into_iter()
        .filter(|(path, _)| is_rust(path) && !is_test(path))
        .map(|(path, text)| (path, production_lines(&text)))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert!(
        long.is_empty(),
        "over {MOST_LINES} lines, to be split: {long:?}"
    );
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    // Put together here, so that this file does not name them itself.
    let words = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["unimple", "mented!"].concat(),
        ["not imple", "mented"].concat(),
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
    ];
    let mut found = Vec::new();
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let roots = files()
        .into_iter()
        .filter(|(path, _)| path.ends_with("src/lib.rs") || path.ends_with("src/main.rs"));
    let without: Vec<String> = roots
        .filter(|(_, text)| !text.contains("#![forbid(unsafe_code)]"))
        .map(|(path, _)| path)
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn no_dependency_is_older_than_the_mending_of_its_holes() {
    let lock = fs::read_to_string(project_dir().join("Cargo.lock")).expect("Cargo.lock");
    for (name, least) in AT_LEAST {
        let head = format!("name = \"{name}\"\nversion = \"");
        let versions: Vec<Vec<u64>> = lock
            .split(&head)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(|version| {
                version
                    .split('.')
                    .filter_map(|part| part.parse().ok())
                    .collect()
            })
            .collect();
        assert!(!versions.is_empty(), "{name} is not among the dependencies");
        assert!(
            versions
                .iter()
                .all(|version| version.as_slice() >= least.as_slice()),
            "{name}: {versions:?}"
        );
    }
}
