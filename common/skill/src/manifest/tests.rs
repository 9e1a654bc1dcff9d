use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{Manifest, Mode, Resources, RunSpec, is_valid_name, legacy};
use crate::host::Os;

fn skill_md(text: &str) -> Manifest {
    Manifest::parse("folder", Some(text), None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn skill_json(text: &str) -> Manifest {
    Manifest::parse("folder", None, Some(text)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn bad_md(text: &str) -> String {
    Manifest::parse("folder", Some(text), None)
        .expect_err("refused")
        .to_string()
}

fn bad_json(text: &str) -> String {
    Manifest::parse("folder", None, Some(text))
        .expect_err("refused")
        .to_string()
}

fn run_of(manifest: &Manifest, os: Os) -> RunSpec {
    manifest
        .run
        .as_ref()
        .expect("a run block")
        .for_os(os)
        .expect("a command for this system")
}

/// A frontmatter whose `metadata` is written like this.
fn with_metadata(metadata: &str) -> Manifest {
    skill_md(&format!(
        "---\nname: x\ndescription: d\nmetadata: {metadata}\n---\nText\n"
    ))
}

#[test]
fn agent_skills_keys_are_read() {
    let manifest = skill_md(
        "---\nname: pdf-tools\ndescription: >\n  Work with\n  PDF files.\nlicense: MIT\nversion: 1.10\n\
         homepage: https://example.org\nallowed-tools: Bash(git:*)\ntags: [pdf, text]\n---\n# PDF\n",
    );
    assert_eq!(manifest.name, "pdf-tools");
    assert_eq!(manifest.description, "Work with PDF files.");
    assert_eq!(
        manifest.version.as_deref(),
        Some("1.10"),
        "a version is text, not a number"
    );
    assert_eq!(manifest.homepage.as_deref(), Some("https://example.org"));
    assert_eq!(manifest.tags, ["pdf", "text"]);
    assert!(manifest.run.is_none());
}

#[test]
fn openclaws_block_is_read_in_every_way_it_is_written() {
    let nested = "\n  openclaw:\n    os: [darwin, linux]\n    requires:\n      bins: [ffmpeg]\n      anyBins: [rg, grep]\n      \
                  env: [KEY]\n      config: [browser.enabled]\n    primaryEnv: KEY\n    skillKey: other\n    always: false";
    let one_line = r#"{"openclaw":{"os":["darwin","linux"],"requires":{"bins":["ffmpeg"],"anyBins":["rg","grep"],"env":["KEY"],"config":["browser.enabled"]},"primaryEnv":"KEY","skillKey":"other"}}"#;
    let json5 = "{openclaw:{os:['darwin','linux',],requires:{bins:['ffmpeg'],anyBins:['rg','grep'],env:['KEY'],config:['browser.enabled'],},primaryEnv:'KEY',skillKey:'other'},}";
    let many_lines = "\n  {\n    \"openclaw\": {\n      // a comment\n      os: [\"darwin\", \"linux\"],\n      requires: { bins: \
                      [\"ffmpeg\"], anyBins: [\"rg\", \"grep\"], env: [\"KEY\"], config: [\"browser.enabled\"] },\n      \
                      primaryEnv: \"KEY\", skillKey: \"other\",\n    },\n  }";
    let quoted = r#"'{"openclaw":{"os":["darwin","linux"],"requires":{"bins":["ffmpeg"],"anyBins":["rg","grep"],"env":["KEY"],"config":["browser.enabled"]},"primaryEnv":"KEY","skillKey":"other"}}'"#;
    let inner = r"
  openclaw: '{os:[''darwin'',''linux''],requires:{bins:[''ffmpeg''],anyBins:[''rg'',''grep''],env:[''KEY''],config:[''browser.enabled'']},primaryEnv:''KEY'',skillKey:''other''}'";
    let expected = with_metadata(nested);
    assert_eq!(expected.gates.os, ["darwin", "linux"]);
    assert_eq!(expected.gates.bins, ["ffmpeg"]);
    assert_eq!(expected.gates.any_bins, ["rg", "grep"]);
    assert_eq!(expected.gates.env, ["KEY"]);
    assert_eq!(expected.gates.config, ["browser.enabled"]);
    assert_eq!(expected.gates.primary_env.as_deref(), Some("KEY"));
    assert_eq!(expected.gates.skill_key.as_deref(), Some("other"));
    for (shape, metadata) in [
        ("one line", one_line),
        ("JSON5", json5),
        ("many lines", many_lines),
        ("quoted", quoted),
        ("inner", inner),
    ] {
        assert_eq!(with_metadata(metadata), expected, "{shape}");
    }
}

#[test]
fn the_older_names_of_the_block_count_and_the_newest_wins() {
    for alias in ["openclaw", "clawdbot", "clawdis"] {
        let manifest = with_metadata(&format!(
            "{{\"{alias}\":{{\"requires\":{{\"bins\":[\"a\"]}}}}}}"
        ));
        assert_eq!(manifest.gates.bins, ["a"], "{alias}");
    }
    let both = with_metadata(
        r#"{clawdis:{requires:{bins:["old"]}},openclaw:{requires:{bins:["new"]}},clawdbot:{requires:{bins:["mid"]}}}"#,
    );
    assert_eq!(both.gates.bins, ["new"]);
}

#[test]
fn install_ways_are_read_and_unknown_keys_are_openclaws_own() {
    let manifest = with_metadata(
        r#"{"openclaw":{"emoji":"🎞️","future":[[1]],"install":[{"id":"brew","kind":"brew","formula":"ffmpeg","bins":["ffmpeg"],"label":"Install"},{"id":"go","module":"x/y"},{"kind":"download","url":"https://e.org/x","stripComponents":1,"extract":true}]}}"#,
    );
    let ways: Vec<_> = manifest
        .gates
        .install
        .iter()
        .map(|way| (way.kind.as_str(), way.what.as_deref()))
        .collect();
    assert_eq!(
        ways,
        [
            ("brew", Some("ffmpeg")),
            ("go", Some("x/y")),
            ("download", Some("https://e.org/x"))
        ]
    );
}

#[test]
fn single_words_stand_for_lists() {
    let manifest = with_metadata(
        "\n  openclaw:\n    os: linux\n    requires:\n      bins: ffmpeg, ffprobe\n      env:",
    );
    assert_eq!(manifest.gates.os, ["linux"]);
    assert_eq!(manifest.gates.bins, ["ffmpeg", "ffprobe"]);
    assert!(manifest.gates.env.is_empty());
}

#[test]
fn a_file_without_frontmatter_has_its_folders_name_and_its_first_line() {
    let manifest = skill_md("# Heading\n\n- item\n\nDoes one thing well.\nMore.\n");
    assert_eq!(
        (manifest.name.as_str(), manifest.description.as_str()),
        ("folder", "Does one thing well.")
    );
    assert_eq!(skill_md("# Only a heading\n").description, "Only a heading");
    assert_eq!(skill_md("").description, "");
    assert_eq!(skill_md("---\n---\n").name, "folder");
    assert_eq!(skill_md("---\n# only a comment\n---\n").name, "folder");
}

#[test]
fn windows_files_are_read_like_others() {
    let manifest = skill_md(
        "\u{feff}---\r\nname: x\r\ndescription: d\r\nmetadata: {openclaw:{always:true}}\r\n---\r\nText\r\n",
    );
    assert_eq!(
        (
            manifest.name.as_str(),
            manifest.description.as_str(),
            manifest.gates.always
        ),
        ("x", "d", true)
    );
    assert_eq!(skill_json("\u{feff}{\"name\": \"x\"}").name, "x");
}

#[test]
fn text_with_bare_colons_is_read_as_openclaw_reads_it() {
    let manifest = skill_md(
        "---\nname: x\ndescription: Use when: the user says \"go\": now\nmetadata: {openclaw:{always:true}}\n---\n",
    );
    assert_eq!(manifest.description, "Use when: the user says \"go\": now");
    assert!(manifest.gates.always);
    assert_eq!(
        skill_md("---\nname: x\ndescription: [WIP] not done\n---\n").description,
        "[WIP] not done"
    );
    assert_eq!(
        skill_md("---\nname: x\ndescription: it's: odd\n---\n").description,
        "it's: odd"
    );
}

#[test]
fn a_manifest_error_names_the_line_of_the_file() {
    let error = bad_md(
        "---\nname: x\ndescription: d\nmetadata:\n  openclaw:\n    requires:\n      bins: {a: 1}\n---\n",
    );
    assert!(error.starts_with("manifest line 7: "), "{error}");
    assert!(error.ends_with("(SKILL.md)"), "{error}");
    let error = bad_md("---\nname: x\ntags: [a, b\nmore: 1\n---\n");
    assert!(error.starts_with("manifest line "), "{error}");
    let error = bad_md("---\nname: [x]\n---\n");
    assert!(error.starts_with("manifest line 2: "), "{error}");
    let error = bad_md("---\nname: x\n");
    assert_eq!(
        error,
        "manifest line 1: the frontmatter that begins here is never closed by a line `---` (SKILL.md)"
    );
    let error = bad_json(
        "{\n  \"name\": \"x\",\n  \"run\": {\n    \"command\": [\"x\"],\n    \"mode\": \"warm\"\n  }\n}",
    );
    assert_eq!(
        error,
        "manifest line 5: unknown variant `warm`, expected `process` or `server` (skill.json)"
    );
    let error =
        bad_json("{\"run\": {\n  \"command\": [\n    \"x\",\n    \"{nope}\",\n    \"y\"\n  ]\n}}");
    assert!(
        error.starts_with("manifest line 4: unknown placeholder"),
        "{error}"
    );
    let error = bad_json("{\n  \"name\": \"x\",\n}");
    assert!(error.starts_with("manifest line 3: "), "{error}");
    assert!(
        bad_json("").starts_with("manifest line 1: EOF"),
        "{}",
        bad_json("")
    );
    assert!(
        bad_json("[]").contains("expected an object"),
        "{}",
        bad_json("[]")
    );
}

#[test]
fn a_run_block_in_the_frontmatter_has_its_lines_too() {
    let manifest = skill_md(
        "---\nname: x\nmetadata:\n  openclaw-cluster:\n    run:\n      command: [\"{python}\", \"{baseDir}/x.py\", [\"-n\", \"{params.n}\"]]\n      timeout: 5m\n---\n",
    );
    assert_eq!(
        run_of(&manifest, Os::Linux).timeout,
        Some(Duration::from_mins(5))
    );
    let error = bad_md(
        "---\nname: x\nmetadata:\n  openclaw-cluster:\n    run:\n      command: [x]\n      timeout: soon\n---\n",
    );
    assert!(
        error.starts_with("manifest line 7: `soon` is not a time limit"),
        "{error}"
    );
    let json5 = with_metadata(
        "{openclaw:{always:true},'openclaw-cluster':{run:{command:['x'],mode:'server',concurrency:4}}}",
    );
    let run = run_of(&json5, Os::Linux);
    assert_eq!((run.mode, run.concurrency), (Mode::Server, 4));
    let error = bad_md(
        "---\nname: x\nmetadata: {\"openclaw-cluster\": {\"run\": {\"commands\": [\"x\"]}}}\n---\n",
    );
    assert!(error.starts_with("manifest line 3: "), "{error}");
    assert!(error.contains("unknown field `commands`"), "{error}");
}

#[test]
fn a_whole_run_block_is_read() {
    let manifest = skill_json(
        r#"{"name": "x", "run": {"command": ["{python}", "{baseDir}/scripts/main.py"], "mode": "process",
            "input_schema": {"type": "object"}, "output_schema": true, "timeout": "5m",
            "resources": {"cpus": 1.5, "memory": "512MiB", "gpu": 1}, "probe": ["python3", "--version"],
            "test": {"parameters": {"a": 1}, "inputs": ["tests/sample.txt"], "result": {"ok": true}},
            "env": ["API_KEY"], "per_os": {"windows": {"command": ["x.exe"], "timeout": 600}}}}"#,
    );
    let run = run_of(&manifest, Os::MacOs);
    assert_eq!(run.timeout, Some(Duration::from_mins(5)));
    assert_eq!(
        run.resources,
        Resources {
            cpu_milli: 1500,
            memory_bytes: 512 << 20,
            gpus: 1
        }
    );
    assert_eq!(run.input_schema, Some(json!({"type": "object"})));
    assert_eq!(run.env, ["API_KEY"]);
    assert_eq!((run.mode, run.concurrency), (Mode::Process, 1));
    let test = run.test.expect("a test");
    assert_eq!(
        (test.inputs, test.result),
        (
            vec!["tests/sample.txt".to_owned()],
            Some(json!({"ok": true}))
        )
    );
    let windows = run_of(&manifest, Os::Windows);
    assert_eq!(windows.command.literal_program(), Some("x.exe"));
    assert_eq!(windows.timeout, Some(Duration::from_mins(10)));
    assert_eq!(
        windows.env,
        ["API_KEY"],
        "what a system does not replace stays"
    );
}

#[test]
fn a_run_block_may_be_for_one_system_only() {
    let manifest = skill_json(
        r#"{"name": "x", "run": {"timeout": 5, "per_os": {"darwin": {"command": ["say"]}}}}"#,
    );
    let run = manifest.run.expect("a run block");
    assert_eq!(run.systems(), [Os::MacOs]);
    assert!(run.for_os(Os::Linux).is_none());
    assert_eq!(
        run.for_os(Os::MacOs).and_then(|run| run.timeout),
        Some(Duration::from_secs(5))
    );
}

#[test]
fn a_run_block_is_refused_for_what_it_cannot_mean() {
    let refused = |run: &str| bad_json(&format!("{{\"name\": \"x\", \"run\": {run}}}"));
    for (run, says) in [
        (r#"{"timeout": "5m"}"#, "run has no command"),
        (r#"{"command": "ffmpeg -i x"}"#, "invalid type"),
        (r#"{"command": []}"#, "an argv must begin with a program"),
        (
            r#"{"command": ["x", "{nope}"]}"#,
            "unknown placeholder `{nope}`",
        ),
        (
            r#"{"command": ["x"], "time_limit": 5}"#,
            "unknown field `time_limit`, expected one of `command`",
        ),
        (r#"{"command": ["x"], "timeout": 0}"#, "is not a time limit"),
        (
            r#"{"command": ["x"], "timeout": -5}"#,
            "`-5` is not a time limit",
        ),
        (
            r#"{"command": ["x"], "timeout": 1e300}"#,
            "is not a time limit",
        ),
        (
            r#"{"command": ["x"], "resources": {"cpus": -1}}"#,
            "cpus must be a number of cores",
        ),
        (
            r#"{"command": ["x"], "resources": {"memory": "lots"}}"#,
            "memory must be bytes",
        ),
        (
            r#"{"command": ["x"], "resources": {"memory": "99999999999TiB"}}"#,
            "memory must be bytes",
        ),
        (
            r#"{"command": ["x"], "resources": {"disk": 1}}"#,
            "unknown field `disk`",
        ),
        (
            r#"{"command": ["x"], "env": ["A=B"]}"#,
            "`A=B` is not the name of an environment variable",
        ),
        (
            r#"{"command": ["x"], "concurrency": 0}"#,
            "concurrency must be from 1 to 1000",
        ),
        (
            r#"{"command": ["x"], "input_schema": [1]}"#,
            "a schema must be an object, found a list",
        ),
        (
            r#"{"command": ["x"], "test": {"inputs": ["../x"]}}"#,
            "test input `../x` leaves the skill's folder",
        ),
        (
            r#"{"command": ["x"], "test": {"inputs": ["C:\\x"]}}"#,
            "leaves the skill's folder",
        ),
        (
            r#"{"command": ["x"], "per_os": {"beos": {}}}"#,
            "unknown system `beos` in per_os",
        ),
        (
            r#"{"command": ["x"], "per_os": {"linux": {"per_os": {}}}}"#,
            "unknown field `per_os`",
        ),
        ("[]", "a run block"),
    ] {
        let error = refused(run);
        assert!(error.contains(says), "{run}\n{error}");
        assert!(error.starts_with("manifest line 1: "), "{error}");
    }
}

#[test]
fn time_and_memory_are_read_from_every_usual_spelling() {
    let run = |text: &str| {
        run_of(
            &skill_json(&format!(
                r#"{{"name": "x", "run": {{"command": ["x"], {text}}}}}"#
            )),
            Os::Linux,
        )
    };
    for (text, seconds) in [
        ("90", 90.0),
        ("1.5", 1.5),
        ("\"90\"", 90.0),
        ("\"1h 30m\"", 5400.0),
        ("\"500ms\"", 0.5),
    ] {
        assert_eq!(
            run(&format!("\"timeout\": {text}")).timeout,
            Some(Duration::from_secs_f64(seconds)),
            "{text}"
        );
    }
    for (text, bytes) in [
        ("1024", 1024),
        ("\"2 GB\"", 2_000_000_000),
        ("\"4g\"", 4 << 30),
        ("\"1KiB\"", 1024),
        ("\"7\"", 7),
    ] {
        let resources = run(&format!("\"resources\": {{\"memory\": {text}}}")).resources;
        assert_eq!(resources.memory_bytes, bytes, "{text}");
    }
}

#[test]
fn the_older_clusters_manifest_is_read() {
    let manifest = skill_json(
        r#"{"name": "data_cleaner", "description": "清洗数据", "category": "Data-Processing", "version": 1.5,
            "author": {"name": "Ada", "email": "a@b"}, "tags": "csv, table",
            "dependencies": ["reader", {"name": "search", "version": ">=1.2"}, {"name": "extra", "optional": true}, "w@2"],
            "required_resources": {"cpu": "high", "memory": "medium", "gpu": "required", "network": "required"},
            "entry": "main.py"}"#,
    );
    assert_eq!(manifest.name, "data_cleaner");
    assert_eq!(manifest.category.as_deref(), Some("data_processing"));
    assert_eq!(manifest.version.as_deref(), Some("1.5"));
    assert_eq!(manifest.author.as_deref(), Some("Ada"));
    assert_eq!(manifest.tags, ["csv", "table"]);
    let dependencies: Vec<_> = manifest
        .dependencies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(dependencies, ["reader", "search >= 1.2", "w = 2"]);
    assert_eq!(
        manifest.resources,
        Resources {
            gpus: 1,
            ..Resources::default()
        }
    );
    let map = skill_json(r#"{"name": "x", "dependencies": {"search": "^1.0", "any": "*"}}"#);
    assert_eq!(
        map.dependencies
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["search ^ 1.0", "any"]
    );
    assert!(
        skill_json(r#"{"name": "x", "dependencies": null, "author": 7, "tags": null}"#)
            .dependencies
            .is_empty()
    );
    assert!(
        bad_json(r#"{"name": "x", "dependencies": [3]}"#)
            .contains("a dependency must be a name or an object")
    );
    assert!(
        bad_json(r#"{"name": "x", "dependencies": ["a >= b"]}"#)
            .contains("is not a version requirement")
    );
}

#[test]
fn a_folder_with_both_files_is_one_skill() {
    let manifest = Manifest::parse(
        "both",
        Some("---\nname: both\ndescription: From Markdown\nmetadata: {openclaw:{requires:{bins:['a']}}}\n---\n"),
        Some(r#"{"name": "other", "description": "From JSON", "version": "2", "tags": ["t"], "requires": {"bins": ["a", "b"]}, "run": {"command": ["a"]}}"#),
    )
    .expect("reads");
    assert_eq!(
        (manifest.name.as_str(), manifest.description.as_str()),
        ("both", "From Markdown")
    );
    assert_eq!(manifest.version.as_deref(), Some("2"));
    assert_eq!(manifest.gates.bins, ["a", "b"]);
    assert!(manifest.run.is_some());
    assert_eq!(
        manifest.notes,
        ["skill.json calls it `other`, SKILL.md calls it `both`: SKILL.md counts"]
    );
}

#[test]
fn a_name_nobody_can_ask_for_gives_way_to_the_folders() {
    let manifest = Manifest::parse(
        "video-frames",
        Some("---\nname: Video Frames!\n---\n"),
        None,
    )
    .expect("reads");
    assert_eq!(manifest.name, "video-frames");
    assert_eq!(manifest.notes.len(), 1);
    let error = Manifest::parse("bad folder", Some("---\nname: Also Bad\n---\n"), None)
        .expect_err("refused");
    assert!(
        error
            .to_string()
            .contains("`Also Bad` is no name for a skill"),
        "{error}"
    );
    assert!(Manifest::parse("bad folder", Some("text"), None).is_err());
    assert!(
        is_valid_name("a-b_c.9")
            && !is_valid_name("")
            && !is_valid_name("../x")
            && !is_valid_name("-x")
    );
    assert!(!is_valid_name(&"x".repeat(65)) && !is_valid_name("a b") && !is_valid_name("é"));
}

#[test]
fn deep_nesting_is_refused_not_survived_by_luck() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        bad_md(&format!(
            "---\nname: x\nmetadata: {{openclaw: {deep}}}\n---\n"
        ))
        .starts_with("manifest line")
    );
    assert!(bad_md(&format!("---\nname: x\nother: {deep}\n---\n")).starts_with("manifest line"));
    assert!(bad_json(&format!("{{\"tags\": {deep}}}")).contains("nested deeper than 64 levels"));
    let group = format!("[\"x\", {deep}]");
    assert!(
        bad_json(&format!(r#"{{"run": {{"command": {group}}}}}"#)).starts_with("manifest line 1")
    );
    assert_eq!(
        skill_json(&format!("{{\"unknown\": {deep}}}")).name,
        "folder"
    );
    let schema = format!("{}1{}", "{\"a\":".repeat(80), "}".repeat(80));
    let error = bad_json(&format!(
        r#"{{"run": {{"command": ["x"], "input_schema": {schema}}}}}"#
    ));
    assert!(error.contains("nested deeper than 64 levels"), "{error}");
}

#[test]
fn aliases_cannot_multiply_without_bound() {
    let levels: Vec<String> = (1..12)
        .map(|level| {
            format!(
                "a{level}: &a{level} [{}]\n",
                vec![format!("*a{}", level - 1); 9].join(",")
            )
        })
        .collect();
    let bomb = format!(
        "---\nname: x\na0: &a0 [x,x,x,x,x,x,x,x,x]\n{}tags: *a11\n---\n",
        levels.concat()
    );
    assert!(bad_md(&bomb).starts_with("manifest"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics_the_markdown_reader(text in "\\PC{0,200}") {
        let _ = Manifest::parse("f", Some(&text), None);
        let _ = Manifest::parse("f", Some(&format!("---\n{text}\n---\n")), None);
        let _ = Manifest::parse("f", Some(&format!("---\nmetadata: {text}\n---\n")), None);
        let _ = Manifest::parse("f", Some(&format!("---\nmetadata: {{{text}\n---\n")), None);
    }

    #[test]
    fn no_scramble_of_manifest_parts_panics_it(parts in prop::collection::vec(prop::sample::select(vec![
        "---", "\n", "\r\n", "metadata:", "openclaw:", " ", "  ", "{", "}", "[", "]", ",", ":", "'", "\"", "|", ">", "&a", "*a", "#",
        "name", "run", "command", "\\", "\u{feff}", "é", "\t", "- ", "? ", "!!str", "<<:", "//", "/*", "1e999", "null", "~",
    ]), 0..40)) {
        let text: String = parts.concat();
        let _ = Manifest::parse("f", Some(&text), Some(&text));
        let _ = Manifest::parse("f", Some(&format!("---\n{text}\n---\n")), None);
        let _ = legacy::bare_run("recipes/x.json", &text);
    }

    #[test]
    fn no_text_panics_the_json_reader(text in "\\PC{0,200}") {
        let _ = Manifest::parse("f", None, Some(&text));
        let _ = Manifest::parse("f", None, Some(&format!("{{\"run\": {text}}}")));
        let _ = Manifest::parse("f", None, Some(&format!("{{\"dependencies\": [\"{text}\"]}}")));
    }
}
