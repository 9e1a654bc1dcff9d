use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Evaluated, Resolution, evaluate, find_python, resolve};
use crate::advert::Executor;
use crate::argv::Context;
use crate::discover::discover;
use crate::host::{Host, Os};

/// A machine of paper.
struct Paper {
    os: Os,
    /// Program names and where they are.
    programs: BTreeMap<String, PathBuf>,
    env: BTreeSet<String>,
    config: BTreeSet<String>,
    builtins: BTreeSet<String>,
    /// Programs (by file name) that do not exit with 0 when probed.
    dead: BTreeSet<String>,
    probed: RefCell<Vec<String>>,
}

impl Paper {
    fn linux() -> Self {
        Self {
            os: Os::Linux,
            programs: BTreeMap::new(),
            env: BTreeSet::new(),
            config: BTreeSet::new(),
            builtins: BTreeSet::new(),
            dead: BTreeSet::new(),
            probed: RefCell::default(),
        }
    }

    fn os(mut self, os: Os) -> Self {
        self.os = os;
        self
    }

    fn has(mut self, names: &[&str]) -> Self {
        self.programs.extend(
            names
                .iter()
                .map(|name| ((*name).to_owned(), PathBuf::from(format!("/bin/{name}")))),
        );
        self
    }

    fn has_at(mut self, name: &str, path: &str) -> Self {
        self.programs.insert(name.to_owned(), PathBuf::from(path));
        self
    }

    fn env(mut self, key: &str) -> Self {
        self.env.insert(key.to_owned());
        self
    }

    fn config(mut self, path: &str) -> Self {
        self.config.insert(path.to_owned());
        self
    }

    fn builtin(mut self, name: &str) -> Self {
        self.builtins.insert(name.to_owned());
        self
    }

    fn dead(mut self, name: &str) -> Self {
        self.dead.insert(name.to_owned());
        self
    }

    fn probes(&self) -> Vec<String> {
        self.probed.borrow().clone()
    }
}

impl Host for Paper {
    fn os(&self) -> Os {
        self.os
    }

    fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.programs.get(name).cloned()
    }

    fn has_env(&self, skill: &str, key: &str, primary: bool) -> bool {
        self.env.contains(key) || self.env.contains(&format!("{skill}:{key}:{primary}"))
    }

    fn has_config(&self, path: &str) -> bool {
        self.config.contains(path)
    }

    fn probe(&self, argv: &[OsString]) -> Result<(), String> {
        let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
        self.probed.borrow_mut().push(words.join(" "));
        let name = Path::new(&argv[0])
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if self.dead.contains(&name) {
            Err("exit status: 9".to_owned())
        } else {
            Ok(())
        }
    }

    fn has_builtin(&self, name: &str) -> bool {
        self.builtins.contains(name)
    }
}

/// A folder of skills, each a `skill.json`.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(self, path: &str, content: &str) -> Self {
        let path = self.0.path().join("skills").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
        self
    }

    fn skill(self, name: &str, mut json: Value) -> Self {
        json["name"] = name.into();
        self.file(&format!("{name}/skill.json"), &json.to_string())
    }

    /// A skill that runs `tool` and needs these others.
    fn needing(self, name: &str, dependencies: &[&str]) -> Self {
        self.skill(
            name,
            json!({"version": "1.0", "dependencies": dependencies, "run": {"command": ["tool"]}}),
        )
    }

    fn judged(&self, host: &Paper) -> BTreeMap<String, Evaluated> {
        let found = discover(&self.0.path().join("skills")).expect("searched");
        evaluate(&found, host)
            .into_iter()
            .map(|one| (one.advert.name.clone(), one))
            .collect()
    }

    fn one(&self, name: &str, host: &Paper) -> Evaluated {
        let one = self.judged(host).remove(name).expect("found");
        assert_eq!(
            one.advert.eligible,
            one.runnable.is_some(),
            "what is eligible can be run, and nothing else"
        );
        assert_eq!(
            one.advert.eligible,
            one.advert.reasons.is_empty(),
            "a reason for every refusal"
        );
        one
    }

    fn reasons(&self, name: &str, host: &Paper) -> Vec<String> {
        self.one(name, host).advert.reasons
    }
}

fn tool(gates: Value) -> Shelf {
    let mut json = gates;
    json["run"] = json!({"command": ["tool"]});
    Shelf::new().skill("s", json)
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_system_must_be_one_of_those_named() {
    let host = |os| Paper::linux().os(os).has(&["tool"]);
    for names in [json!("macos"), json!(["darwin"]), json!(["Darwin"])] {
        let shelf = tool(json!({"os": names}));
        assert_eq!(shelf.reasons("s", &host(Os::MacOs)), NOTHING);
        assert!(shelf.reasons("s", &host(Os::Linux))[0].ends_with(" only"));
    }
    let shelf = tool(json!({"os": ["darwin", "win32"]}));
    assert_eq!(
        shelf.reasons("s", &host(Os::Linux)),
        ["os darwin or win32 only"]
    );
    assert_eq!(shelf.reasons("s", &host(Os::Windows)), NOTHING);
    assert_eq!(
        tool(json!({"os": ["plan9"]})).reasons("s", &host(Os::Linux)),
        ["os plan9 only"]
    );
}

#[test]
fn always_waives_requirements_but_never_the_system() {
    let shelf = tool(
        json!({"always": true, "os": ["linux"], "requires": {"bins": ["absent"], "env": ["KEY"], "config": ["a.b"]}}),
    );
    assert_eq!(shelf.reasons("s", &Paper::linux().has(&["tool"])), NOTHING);
    assert_eq!(
        shelf.reasons("s", &Paper::linux().os(Os::MacOs).has(&["tool"])),
        ["os linux only"]
    );
    assert_eq!(
        shelf.reasons("s", &Paper::linux()),
        ["missing program tool"],
        "what cannot start cannot run"
    );
}

#[test]
fn every_missing_thing_is_named() {
    let shelf = tool(json!({
        "requires": {"bins": ["a", "b"], "anyBins": ["c", "d"], "env": ["KEY"], "config": ["browser.on"]}
    }));
    assert_eq!(
        shelf.reasons("s", &Paper::linux().has(&["b"])),
        [
            "missing program a",
            "missing program: one of c, d",
            "env KEY not set",
            "config browser.on not set in OpenClaw's configuration",
            "missing program tool",
        ]
    );
    let complete = Paper::linux()
        .has(&["a", "b", "d", "tool"])
        .env("KEY")
        .config("browser.on");
    assert_eq!(shelf.reasons("s", &complete), NOTHING);
}

#[test]
fn a_missing_program_comes_with_the_way_to_get_it() {
    let shelf = tool(json!({
        "requires": {"bins": ["magick"]},
        "install": [
            {"kind": "brew", "formula": "imagemagick", "bins": ["magick"]},
            {"kind": "winget", "package": "ImageMagick.ImageMagick", "bins": ["magick"]},
            {"kind": "brew", "formula": "tool-kit", "bins": ["tool"]},
            {"kind": "pip", "package": "tool-py", "bins": ["tool"], "os": ["linux"]},
        ]
    }));
    let reasons = |os| shelf.reasons("s", &Paper::linux().os(os));
    assert_eq!(
        reasons(Os::MacOs),
        [
            "missing program magick (brew install imagemagick)",
            "missing program tool (brew install tool-kit)"
        ]
    );
    assert_eq!(
        reasons(Os::Linux),
        [
            "missing program magick (brew install imagemagick)",
            "missing program tool (pip install tool-py)"
        ]
    );
    assert_eq!(
        reasons(Os::Windows),
        [
            "missing program magick (winget install ImageMagick.ImageMagick)",
            "missing program tool"
        ]
    );
}

#[test]
fn a_paid_services_key_may_come_from_openclaws_own_entry() {
    let shelf = tool(
        json!({"requires": {"env": ["KEY", "OTHER"]}, "primaryEnv": "KEY", "skillKey": "entry"}),
    );
    let host = Paper::linux()
        .has(&["tool"])
        .env("entry:KEY:true")
        .env("entry:OTHER:false");
    let one = shelf.one("s", &host);
    assert!(one.advert.eligible, "{:?}", one.advert.reasons);
    assert!(one.advert.costs_money());
    let runnable = one.runnable.expect("runnable");
    assert_eq!(runnable.env, ["KEY", "OTHER"]);
    assert_eq!(
        (runnable.skill_key.as_str(), runnable.primary_env.as_deref()),
        ("entry", Some("KEY"))
    );
}

#[test]
fn python_is_the_first_that_really_runs() {
    let store_stub = || {
        Paper::linux()
            .os(Os::Windows)
            .has(&["python3", "py", "python"])
            .dead("python3")
    };
    assert_eq!(
        find_python(&store_stub()),
        Some(vec!["/bin/py".into(), "-3".into()])
    );
    assert_eq!(
        find_python(&Paper::linux().has(&["python3", "python"])),
        Some(vec!["/bin/python3".into()])
    );
    assert_eq!(
        find_python(&Paper::linux().has(&["python"])),
        Some(vec!["/bin/python".into()])
    );
    assert_eq!(
        find_python(&Paper::linux().has(&["python"]).dead("python")),
        None
    );
    let shelf = Shelf::new()
        .skill(
            "a",
            json!({"requires": {"bins": ["python3"]}, "run": {"command": ["{python}", "-c", "1"]}}),
        )
        .skill("b", json!({"run": {"command": ["{python}", "-c", "2"]}}));
    let host = store_stub();
    assert!(
        shelf.judged(&host).values().all(|one| one.advert.eligible),
        "the demand for python3 is met by py -3"
    );
    assert_eq!(
        host.probes().len(),
        2,
        "Python is looked for once, not once a skill: {:?}",
        host.probes()
    );
    let none = ["missing program python3 (also tried py -3 and python)"];
    assert_eq!(shelf.reasons("a", &Paper::linux()), none);
    assert_eq!(shelf.reasons("b", &Paper::linux()), none);
}

#[test]
fn python_is_not_looked_for_when_nobody_needs_it() {
    let host = Paper::linux().has(&["tool", "python3"]);
    tool(json!({})).judged(&host);
    assert_eq!(host.probes(), NOTHING);
}

#[test]
fn files_of_its_own_that_a_command_names_must_be_there() {
    let shelf = Shelf::new()
        .skill(
            "s",
            json!({"run": {"command": ["tool", "{baseDir}/main.py", ["{baseDir}/{params.x}"]]}}),
        )
        .skill("t", json!({"run": {"command": ["{baseDir}/bin/t"]}}));
    let host = Paper::linux().has(&["tool"]);
    assert_eq!(
        shelf.reasons("s", &host),
        ["missing file main.py in the skill's folder"]
    );
    assert_eq!(
        shelf.reasons("t", &host),
        ["missing file bin/t in the skill's folder"]
    );
    let shelf = shelf.file("s/main.py", "").file("t/bin/t", "");
    assert_eq!(shelf.reasons("s", &host), NOTHING);
    if cfg!(unix) {
        assert_eq!(
            shelf.reasons("t", &host),
            ["bin/t is not executable (chmod +x bin/t)"]
        );
    }
}

#[test]
fn a_batch_file_that_would_get_arguments_is_refused() {
    let shelf = Shelf::new()
        .skill("with", json!({"run": {"command": ["npx", "x"]}}))
        .skill("without", json!({"run": {"command": ["npx"]}}));
    let host = Paper::linux().os(Os::Windows).has_at("npx", "C:/n/npx.cmd");
    assert!(
        shelf.reasons("with", &host)[0].contains("is a batch file"),
        "{:?}",
        shelf.reasons("with", &host)
    );
    assert_eq!(shelf.reasons("without", &host), NOTHING);
}

#[test]
fn the_probe_has_the_last_word() {
    let shelf = tool(json!({})).skill(
        "p",
        json!({"requires": {"env": ["KEY"]}, "run": {"command": ["tool"], "probe": ["checker", "{baseDir}"]}}),
    );
    let host = || Paper::linux().has(&["tool", "checker"]).env("KEY");
    assert_eq!(shelf.reasons("p", &host()), NOTHING);
    assert_eq!(
        shelf.reasons("p", &host().dead("checker")),
        ["probe failed: /bin/checker: exit status: 9"]
    );
    let lacking = Paper::linux().has(&["tool", "checker"]);
    assert_eq!(shelf.reasons("p", &lacking), ["env KEY not set"]);
    assert_eq!(
        lacking.probes(),
        NOTHING,
        "nothing is started for a skill that cannot run anyway"
    );
    let without = Paper::linux().has(&["tool"]).env("KEY");
    assert_eq!(
        shelf.reasons("p", &without),
        ["probe failed: missing program checker"]
    );
}

#[test]
fn a_command_for_other_systems_only_says_so() {
    let shelf = Shelf::new().skill(
        "s",
        json!({"run": {"per_os": {"macos": {"command": ["say"]}}}}),
    );
    assert_eq!(
        shelf.reasons("s", &Paper::linux()),
        ["os macos only: its run block has no other command"]
    );
    assert_eq!(
        shelf.reasons("s", &Paper::linux().os(Os::MacOs).has(&["say"])),
        NOTHING
    );
}

#[test]
fn a_program_that_wants_to_be_kept_warm_is_not_promised() {
    let shelf = Shelf::new().file(
        "warm/skill.json",
        r#"{"name": "warm", "run": {"command": ["tool"], "mode": "server"}}"#,
    );
    let one = shelf.one("warm", &Paper::linux().has(&["tool"]));
    assert!(!one.advert.eligible);
    assert!(
        one.advert.reasons[0].starts_with("mode server: "),
        "{:?}",
        one.advert.reasons
    );
}

#[test]
fn a_prompt_only_skill_is_listed_and_says_what_to_do() {
    let shelf = Shelf::new().file(
        "talk/SKILL.md",
        "---\nname: talk\ndescription: Speak well.\n---\n",
    );
    let one = shelf.one("talk", &Paper::linux());
    assert_eq!(one.advert.executor, Executor::Agent);
    assert_eq!(one.advert.description, "Speak well.");
    assert_eq!(
        one.advert.reasons,
        [
            "prompt-only: it instructs a model and says no command (add a run block to its skill.json, or recipes/talk.json beside its folder)"
        ]
    );
    let shelf = shelf.file(
        "recipes/talk.json",
        r#"{"command": ["tool"], "env": ["A"]}"#,
    );
    let one = shelf.one("talk", &Paper::linux().has(&["tool"]));
    assert_eq!(
        (one.advert.executor, one.advert.recipe, one.advert.eligible),
        (Executor::Command, true, true)
    );
}

#[test]
fn a_folder_with_a_builtins_name_does_not_shadow_it() {
    let shelf = Shelf::new().needing("echo", &[]);
    let host = Paper::linux().has(&["tool"]).builtin("echo");
    assert_eq!(
        shelf.reasons("echo", &host),
        ["its name is that of a built-in skill: give it another"]
    );
}

#[test]
fn a_broken_manifest_is_advertised_with_its_reason() {
    let shelf = Shelf::new().file("bad/skill.json", "{\n oops");
    let one = shelf.one("bad", &Paper::linux());
    assert!(
        one.advert.reasons[0].starts_with("manifest line 2: "),
        "{:?}",
        one.advert.reasons
    );
    assert!(!one.advert.eligible);
}

#[test]
fn an_advert_carries_everything() {
    let shelf = Shelf::new().skill(
        "s",
        json!({
            "version": "1.2", "category": "text_processing", "description": "d", "tags": ["b", "a"],
            "dependencies": ["echo"], "required_resources": {"gpu": "required"},
            "run": {"command": ["tool"], "timeout": "90s", "input_schema": {"z": 1, "a": 2}, "output_schema": false}
        }),
    );
    let advert = shelf
        .one("s", &Paper::linux().has(&["tool"]).builtin("echo"))
        .advert;
    assert_eq!(
        (advert.version.as_str(), advert.category.as_str()),
        ("1.2", "text_processing")
    );
    assert_eq!(advert.tags, ["a", "b"]);
    assert_eq!(advert.dependencies, ["echo"]);
    assert_eq!(advert.input_schema, r#"{"z":1,"a":2}"#);
    assert_eq!(advert.output_schema, "false");
    assert_eq!(advert.timeout_ms, 90_000);
    assert_eq!(advert.resources.gpus, 1);
    assert_eq!(advert.content_hash.len(), 64);
    assert!(advert.eligible && !advert.costs_money());
}

#[test]
fn a_runnable_starts_the_program_that_was_found() {
    let shelf = Shelf::new()
        .skill("s", json!({"run": {"command": ["tool", "{params.x}"]}}))
        .skill("p", json!({"run": {"command": ["{python}", "{params.x}"]}}));
    let host = Paper::linux().has(&["tool", "py"]);
    let params = json!({"x": "1"});
    let folder = Path::new("/t");
    let context = Context {
        base_dir: folder,
        python: None,
        params: &params,
        inputs: &[],
        input_dir: folder,
        output_dir: folder,
    };
    let argv = |name| {
        shelf
            .one(name, &host)
            .runnable
            .expect("runnable")
            .argv(&context)
            .expect("expands")
    };
    assert_eq!(argv("s"), ["/bin/tool", "1"]);
    assert_eq!(argv("p"), ["/bin/py", "-3", "1"]);
}

#[test]
fn dependencies_are_told_apart_as_direct_transitive_and_missing() {
    let needs = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        pairs
            .iter()
            .map(|(name, list)| {
                (
                    (*name).to_owned(),
                    list.iter().map(|n| (*n).to_owned()).collect(),
                )
            })
            .collect()
    };
    let graph = needs(&[
        ("a", &["b", "c"]),
        ("b", &["c", "d"]),
        ("c", &["gone"]),
        ("d", &[]),
    ]);
    let resolution = resolve("a", &graph);
    assert_eq!(resolution.direct, ["b", "c"]);
    assert_eq!(resolution.transitive, ["d"]);
    assert_eq!(resolution.missing, [("gone".to_owned(), "c".to_owned())]);
    assert_eq!(resolution.cycle, None);
    assert_eq!(resolve("nobody", &graph), Resolution::default());
    let round = needs(&[
        ("a", &["b"]),
        ("b", &["c"]),
        ("c", &["b"]),
        ("self", &["self"]),
    ]);
    assert_eq!(
        resolve("a", &round).cycle,
        Some(vec!["b".to_owned(), "c".to_owned(), "b".to_owned()])
    );
    assert_eq!(
        resolve("self", &round).cycle,
        Some(vec!["self".to_owned(), "self".to_owned()])
    );
}

#[test]
fn a_long_chain_of_dependencies_is_no_deep_recursion() {
    let graph: BTreeMap<String, Vec<String>> = (0..20_000)
        .map(|n| (format!("s{n}"), vec![format!("s{}", n + 1)]))
        .collect();
    let resolution = resolve("s19990", &graph);
    assert_eq!(resolution.missing.len(), 1);
    assert_eq!(resolution.transitive.len(), 8);
}

#[test]
fn dependencies_decide_with_the_exact_reason() {
    let shelf = Shelf::new()
        .needing("alone", &[])
        .needing("wants-gone", &["gone"])
        .needing("behind", &["wants-gone"])
        .needing("newer", &["alone >= 2"])
        .needing("older", &["alone < 2"])
        .needing("builtin", &["echo"])
        .needing("lame", &["broken-tool"])
        .needing("unreadable", &["torn"])
        .file("torn/skill.json", "{")
        .skill("broken-tool", json!({"run": {"command": ["absent"]}}));
    let host = Paper::linux().has(&["tool"]).builtin("echo");
    assert_eq!(shelf.reasons("alone", &host), NOTHING);
    assert_eq!(
        shelf.reasons("wants-gone", &host),
        ["dependency gone missing"]
    );
    assert_eq!(
        shelf.reasons("behind", &host),
        ["dependency gone (needed by wants-gone) missing"]
    );
    assert_eq!(
        shelf.reasons("newer", &host),
        ["dependency alone is 1.0, needs >= 2"]
    );
    assert_eq!(shelf.reasons("older", &host), NOTHING);
    assert_eq!(shelf.reasons("builtin", &host), NOTHING);
    assert_eq!(
        shelf.reasons("lame", &host),
        ["dependency broken-tool cannot run: missing program absent"]
    );
    assert!(
        shelf.reasons("unreadable", &host)[0]
            .starts_with("dependency torn cannot run: manifest line 1")
    );
}

#[test]
fn a_cycle_is_named_to_everybody_behind_it() {
    let shelf = Shelf::new()
        .needing("a", &["b"])
        .needing("b", &["c"])
        .needing("c", &["b"])
        .needing("free", &[]);
    let host = Paper::linux().has(&["tool"]);
    assert_eq!(shelf.reasons("a", &host), ["dependency cycle: b → c → b"]);
    assert_eq!(shelf.reasons("b", &host), ["dependency cycle: b → c → b"]);
    assert_eq!(shelf.reasons("c", &host), ["dependency cycle: c → b → c"]);
    assert_eq!(shelf.reasons("free", &host), NOTHING);
}
