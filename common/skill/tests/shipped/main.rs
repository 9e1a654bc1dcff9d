//! The skills and recipes that come with the product: they must be found, judged and, where the machine has what they
//! need, run.

mod csv_summary;
mod disk_report;
mod image_thumbnail;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use openclaw_skill::advert::Executor;
use openclaw_skill::argv::Context;
use openclaw_skill::discover::{Discovered, Skill, discover};
use openclaw_skill::eligibility::{Evaluated, Runnable, evaluate, find_python};
use openclaw_skill::host::{Os, SystemHost};
use serde_json::{Value, json};
use tempfile::TempDir;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the project's folder")
}

fn host() -> SystemHost {
    let env = std::env::vars_os();
    SystemHost::new(std::env::var_os("PATH").unwrap_or_default(), env)
}

fn found() -> Vec<Discovered> {
    discover(&project().join("skills")).expect("skills can be searched")
}

fn skill(name: &str) -> Skill {
    let one = found()
        .into_iter()
        .find(|found| found.name == name)
        .expect("the skill is found");
    one.skill.expect("its manifest is in order")
}

/// A skill as this machine judges it.
fn judged(name: &str) -> Evaluated {
    evaluate(&found(), &host())
        .into_iter()
        .find(|one| one.advert.name == name)
        .expect("judged")
}

/// A skill that needs only Python, as an executor gets it; `None`, said aloud, on a machine without Python.
fn python_skill(name: &str) -> Option<Runnable> {
    if find_python(&host()).is_none() {
        eprintln!("SKIPPED: no Python 3 on this machine");
        return None;
    }
    let judged = judged(name);
    assert_eq!(judged.advert.reasons, Vec::<String>::new());
    Some(judged.runnable.expect("eligible"))
}

fn text_stats() -> Option<Runnable> {
    python_skill("text-stats")
}

/// One attempt, by the contract of process skills.
struct Attempt {
    dir: TempDir,
    output: Output,
}

impl Attempt {
    fn run(skill: &Runnable, params: &Value, inputs: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().expect("a task folder");
        let input_dir = dir.path().join("in");
        fs::create_dir(&input_dir).expect("an input folder");
        let paths: Vec<(String, PathBuf)> = inputs
            .iter()
            .map(|(name, content)| {
                fs::write(input_dir.join(name), content).expect("an input");
                ((*name).to_owned(), input_dir.join(name))
            })
            .collect();
        fs::write(dir.path().join("params.json"), params.to_string()).expect("parameters");
        let context = Context {
            base_dir: &skill.dir,
            python: None,
            params,
            inputs: &paths,
            input_dir: &input_dir,
            output_dir: dir.path(),
        };
        let argv: Vec<OsString> = skill.argv(&context).expect("expands");
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .current_dir(dir.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("OPENCLAW_CLUSTER_PARAMS", dir.path().join("params.json"))
            .env("OPENCLAW_CLUSTER_INPUT_DIR", &input_dir)
            .env("OPENCLAW_CLUSTER_SKILL_DIR", &skill.dir)
            .env("OPENCLAW_CLUSTER_RESULT", dir.path().join("result.json"))
            .env(
                "OPENCLAW_CLUSTER_PROGRESS",
                dir.path().join("progress.jsonl"),
            )
            .output()
            .expect("starts");
        Self { dir, output }
    }

    fn result(&self) -> Value {
        assert!(self.output.status.success(), "{}", self.complaint());
        let written = fs::read(self.dir.path().join("result.json"));
        serde_json::from_slice(written.as_deref().unwrap_or(&self.output.stdout)).expect("JSON")
    }

    fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr)
            .trim()
            .to_owned()
    }

    fn refusal(&self) -> (Option<i32>, String) {
        (self.output.status.code(), self.complaint())
    }
}

/// Runs a skill's own test and checks what it promises of the result: each key that it names.
fn own_test(skill: &Runnable) -> Attempt {
    let test = skill.run.test.clone().expect("a test");
    let contents: Vec<(String, Vec<u8>)> = test
        .inputs
        .iter()
        .map(|path| {
            let path = skill.dir.join(path);
            let name = path.file_name().expect("a name").to_string_lossy();
            let content = fs::read(&path).expect("the test's input");
            (name.into_owned(), content)
        })
        .collect();
    let inputs: Vec<_> = contents
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    let attempt = Attempt::run(skill, &test.parameters.expect("parameters"), &inputs);
    let result = attempt.result();
    let promised = test.result.expect("a result");
    for (key, value) in promised.as_object().expect("an object") {
        assert_eq!(&result[key], value, "{key} of {result}");
    }
    attempt
}

#[test]
fn every_shipped_skill_is_in_order() {
    let found = found();
    let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    let shipped = [
        "csv-summary",
        "disk-report",
        "image-thumbnail",
        "openclaw-cluster",
        "text-stats",
    ];
    assert!(shipped.iter().all(|name| names.contains(name)), "{names:?}");
    for one in &found {
        let skill = one
            .skill
            .as_ref()
            .unwrap_or_else(|reason| panic!("{}: {reason}", one.name));
        assert_eq!(skill.notes, Vec::<String>::new(), "{}", one.name);
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            one.name.chars().all(lower),
            "{} is no name for a new skill",
            one.name
        );
        assert!(!skill.manifest.description.is_empty(), "{}", one.name);
    }
}

#[test]
fn the_agents_skill_is_for_agents_and_gated_on_the_command_line() {
    let skill = skill("openclaw-cluster");
    assert_eq!(skill.manifest.gates.bins, ["openclaw-cluster"]);
    assert!(skill.run().is_none());
}

#[test]
fn text_stats_says_what_it_takes_and_gives() {
    let skill = skill("text-stats");
    assert_eq!(skill.manifest.category.as_deref(), Some("text_processing"));
    for os in [Os::Linux, Os::MacOs, Os::Windows] {
        let run = skill
            .run()
            .expect("a run block")
            .for_os(os)
            .expect("a command");
        assert!(run.needs_python());
        assert!(run.input_schema.is_some() && run.output_schema.is_some());
    }
}

#[test]
fn text_stats_passes_its_own_test() {
    let Some(runnable) = text_stats() else { return };
    let attempt = own_test(&runnable);
    let progress = fs::read_to_string(attempt.dir.path().join("progress.jsonl")).expect("progress");
    let percents: Vec<u64> = progress
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["percent"]
                .as_u64()
                .expect("a number")
        })
        .collect();
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)));
}

#[test]
fn text_stats_counts_across_the_pieces_it_reads() {
    let Some(runnable) = text_stats() else { return };
    let text = "naïve 龙虾 don’t\n".repeat(60_000);
    let result = Attempt::run(
        &runnable,
        &json!({"top": 2}),
        &[("big.txt", text.as_bytes())],
    )
    .result();
    assert_eq!(result["words"], 60_000 * 4);
    assert_eq!(result["lines"], 60_000);
    assert_eq!(result["bytes"], text.len());
    assert_eq!(result["characters"], text.chars().count());
    assert_eq!(
        result["top"],
        json!([{"word": "don’t", "count": 60_000}, {"word": "naïve", "count": 60_000}])
    );
}

#[test]
fn text_stats_takes_the_file_or_text_it_is_told() {
    let Some(runnable) = text_stats() else { return };
    let files: [(&str, &[u8]); 2] = [("a.txt", b"one"), ("b.txt", b"one two\n")];
    let words = |params: Value| Attempt::run(&runnable, &params, &files).result()["words"].clone();
    assert_eq!(words(json!({})), 1);
    assert_eq!(words(json!({"file": "b.txt"})), 2);
    assert_eq!(words(json!({"text": "a b c"})), 3);
    assert_eq!(
        Attempt::run(&runnable, &Value::Null, &[("x", b"")]).result()["lines"],
        0
    );
}

#[test]
fn text_stats_says_what_is_wrong_and_whose_fault_it_is() {
    let Some(runnable) = text_stats() else { return };
    let refusal = |params: Value, inputs: &[(&str, &[u8])]| {
        Attempt::run(&runnable, &params, inputs).refusal()
    };
    let (code, says) = refusal(json!({}), &[("photo.jpg", b"text, then \xff\xd8")]);
    assert_eq!(code, Some(65));
    assert_eq!(
        says,
        "text-stats: photo.jpg is not UTF-8 text (byte 11): convert it first"
    );
    assert_eq!(refusal(json!({}), &[("cut", b"abc\xe2\x82")]).0, Some(65));
    assert_eq!(refusal(json!({}), &[]).0, Some(66));
    assert_eq!(
        refusal(json!({"file": "../../etc/passwd"}), &[("a", b"")]).0,
        Some(66)
    );
    assert_eq!(refusal(json!({"top": "many"}), &[("a", b"")]).0, Some(64));
    assert_eq!(refusal(json!({"top": true}), &[("a", b"")]).0, Some(64));
    assert_eq!(refusal(json!(["top"]), &[("a", b"")]).0, Some(64));
}

/// OpenClaw's own skills as far as a recipe depends on them: frontmatter and script.
const UNTOUCHED: [(&str, &str, &str); 5] = [
    ("openai-whisper", r#"{"requires":{"bins":["whisper"]}}"#, ""),
    (
        "video-frames",
        r#"{"requires":{"bins":["ffmpeg"]}}"#,
        "scripts/frame.sh",
    ),
    (
        "openai-image-gen",
        r#"{"requires":{"bins":["python3"],"env":["OPENAI_API_KEY"]},"primaryEnv":"OPENAI_API_KEY"}"#,
        "scripts/gen.py",
    ),
    (
        "nano-banana-pro",
        r#"{"requires":{"bins":["uv"],"env":["GEMINI_API_KEY"]},"primaryEnv":"GEMINI_API_KEY"}"#,
        "scripts/generate_image.py",
    ),
    (
        "sherpa-onnx-tts",
        r#"{"os":["darwin","linux","win32"],"requires":{"env":["SHERPA_ONNX_RUNTIME_DIR","SHERPA_ONNX_MODEL_DIR"]}}"#,
        "bin/sherpa-onnx-tts",
    ),
];

#[test]
fn every_recipe_makes_its_skill_runnable_everywhere() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, gates, script) in UNTOUCHED {
        let folder = dir.path().join("skills").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let text =
            format!("---\nname: {name}\ndescription: d\nmetadata: {{\"openclaw\":{gates}}}\n---\n");
        fs::write(folder.join("SKILL.md"), text).expect("a manifest");
        if !script.is_empty() {
            let script = folder.join(script);
            fs::create_dir_all(script.parent().expect("a parent")).expect("a folder");
            fs::write(script, "").expect("a script");
        }
    }
    let recipes = dir.path().join("recipes");
    fs::create_dir(&recipes).expect("a folder");
    let mut shipped = BTreeSet::new();
    for item in fs::read_dir(project().join("recipes")).expect("recipes") {
        let path = item.expect("an entry").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path.file_name().expect("a name");
            fs::copy(&path, recipes.join(name)).expect("copied");
            shipped.insert(
                path.file_stem()
                    .expect("a stem")
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
    assert_eq!(shipped, UNTOUCHED.map(|(name, ..)| name.to_owned()).into());
    let found = discover(&dir.path().join("skills")).expect("searched");
    for one in &found {
        let skill = one
            .skill
            .as_ref()
            .unwrap_or_else(|reason| panic!("{}: {reason}", one.name));
        assert!(skill.recipe.is_some(), "{}", one.name);
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let run = skill
                .run()
                .and_then(|run| run.for_os(os))
                .expect("a command");
            assert!(
                run.timeout.is_some() && run.input_schema.is_some(),
                "{} {os}",
                one.name
            );
        }
    }
    let nowhere = SystemHost::new(OsString::new(), BTreeMap::new());
    for one in evaluate(&found, &nowhere) {
        assert_eq!(
            (one.advert.executor, one.advert.recipe),
            (Executor::Command, true),
            "{}",
            one.advert.name
        );
        assert!(
            one.advert
                .reasons
                .iter()
                .all(|reason| reason.starts_with("missing program") || reason.starts_with("env ")),
            "{:?}",
            one.advert.reasons
        );
    }
}
