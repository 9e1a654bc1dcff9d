use clap::{CommandFactory as _, Parser as _};

use super::*;

/// Splits an example as a shell would, as far as examples need it.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn walk(command: &mut clap::Command, seen: &mut usize) {
    let help = command.render_long_help().to_string();
    let name = command.get_name().to_owned();
    let (_, examples) = help
        .split_once("Examples:\n")
        .unwrap_or_else(|| panic!("`{name} --help` has no examples"));
    let lines = examples.lines().take_while(|line| line.starts_with("  "));
    let mut count = 0;
    for line in lines {
        let parsed = Cli::try_parse_from(words_of(line));
        assert!(
            parsed.is_ok(),
            "example of `{name}` does not parse: {line}\n{}",
            parsed.unwrap_err()
        );
        count += 1;
    }
    assert!(count > 0, "`{name} --help` has no example line");
    *seen += count;
    for sub in command.get_subcommands_mut() {
        walk(sub, seen);
    }
}

#[test]
fn every_help_ends_with_examples_that_parse() {
    let mut root = Cli::command();
    root.build();
    let mut seen = 0;
    walk(&mut root, &mut seen);
    assert!(seen >= 30, "{seen}");
}

#[test]
fn the_tree_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn plural_nouns_are_aliases() {
    for line in [
        "tasks list",
        "nodes list",
        "skills list",
        "tokens show",
        "task ls",
    ] {
        let parsed = Cli::try_parse_from(["openclaw-cluster"].into_iter().chain(line.split(' ')));
        assert!(parsed.is_ok(), "{line}");
    }
}

fn usage_error(line: &[&str]) -> String {
    Cli::try_parse_from(["openclaw-cluster"].iter().chain(line))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_skill_and_a_command_exclude_each_other_and_one_is_needed() {
    assert!(usage_error(&["run"]).contains("required"));
    assert!(usage_error(&["run", "echo", "--", "ls"]).contains("cannot be used with"));
}

#[test]
fn a_wrong_word_is_answered_with_the_right_ones() {
    let error = usage_error(&["run", "echo", "--priority", "urgent"]);
    assert!(error.contains("critical, high, normal, low"), "{error}");
}

#[test]
fn formats_have_short_forms() {
    let format = |line: &[&str]| {
        Cli::try_parse_from(["openclaw-cluster"].iter().chain(line))
            .unwrap()
            .global
            .format()
    };
    assert_eq!(format(&["status"]), Format::Table);
    assert_eq!(format(&["status", "--json"]), Format::Json);
    assert_eq!(format(&["--json", "status"]), Format::Json);
    assert_eq!(format(&["status", "-o", "jsonl"]), Format::Jsonl);
    assert_eq!(format(&["ps", "-q"]), Format::Name);
    assert!(usage_error(&["ps", "-q", "--json"]).contains("cannot be used"));
}

#[test]
fn a_run_reads_all_its_flags() {
    let cli = Cli::try_parse_from([
        "openclaw-cluster",
        "run",
        "text-stats",
        "--param",
        "a=1",
        "-p",
        "b=x=y",
        "--input",
        "r=README.md",
        "--wait",
        "9s",
        "--tag",
        "gpu",
        "--prefer-tag",
        "fast",
        "--type",
        "io_intensive",
        "--priority",
        "high",
        "--strategy",
        "random",
        "--max-retries",
        "0",
        "--queue-timeout",
        "90",
        "--env",
        "K=V",
        "--fail-if-unplaceable",
        "--propagate-exit",
    ])
    .unwrap();
    let Command::Run(run) = cli.command else {
        panic!("not run")
    };
    assert_eq!(run.spec.params[1], ("b".to_owned(), "x=y".to_owned()));
    assert_eq!(run.spec.max_retries, Some(0));
    assert_eq!(
        run.spec.queue_timeout,
        Some(std::time::Duration::from_secs(90))
    );
    assert_eq!(run.wait, Some(std::time::Duration::from_secs(9)));
    assert!(run.fail_if_unplaceable && run.take.propagate_exit);
}

#[test]
fn what_follows_two_dashes_is_the_command_as_it_stands() {
    let cli = Cli::try_parse_from([
        "openclaw-cluster",
        "run",
        "--node",
        "pc",
        "--",
        "ffmpeg",
        "-i",
        "--json",
    ])
    .unwrap();
    let Command::Run(run) = cli.command else {
        panic!("not run")
    };
    assert_eq!(run.spec.command, ["ffmpeg", "-i", "--json"]);
    assert_eq!(run.spec.skill, None);
}
