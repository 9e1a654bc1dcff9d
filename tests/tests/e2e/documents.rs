//! What the documents tell people to type: every command exists, with these flags.

use std::process::Stdio;

use openclaw_tests::harness::{Sandbox, project_dir};

const DOCUMENTS: [&str; 5] = [
    "README.md",
    "README.zh-CN.md",
    "docs/API.md",
    "docs/DEPLOYMENT.md",
    "skills/openclaw-cluster/SKILL.md",
];

/// The commands of a document's code blocks that call one of the programs, without prompts, comments and input.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let line = line.split(" # ").next().unwrap_or(line);
        let line = line.split("<<").next().unwrap_or(line);
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let program = words.first().and_then(|word| word.rsplit('/').next());
        if inside && program.is_some_and(|name| name.starts_with("openclaw-")) {
            found.push(words);
        }
    }
    found
}

#[test]
fn every_documented_command_is_understood() {
    let sandbox = Sandbox::new();
    let mut count = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(project_dir().join(document)).expect("a document");
        for words in commands(&text) {
            let name = words[0].rsplit('/').next().expect("a name").to_owned();
            let mut command = sandbox.program(&name);
            // Behind it all, so that every word before is read first.
            command.args(&words[1..]).arg("--help").stdin(Stdio::null());
            let output = command.output().expect("the program starts");
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{document}: {}\n{error}",
                words.join(" ")
            );
            count += 1;
        }
    }
    assert!(count > 20, "only {count} commands found");
}

#[test]
fn every_linked_file_exists() {
    for document in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(project_dir().join(document)).expect("a document");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let local = !link.starts_with("http");
            assert!(
                !local || project_dir().join(link).exists(),
                "{document} links to {link}"
            );
        }
    }
}
