use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Finder, Skills};
use crate::executor::{Builtin, Runnable};
use crate::model::{Demand, Spec};

fn spec(skill: &str, command: &[&str]) -> Spec {
    Spec {
        task_id: openclaw_common::id::TaskId(1),
        skill: skill.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        parameters: "{}".to_owned(),
        inputs: Vec::new(),
        env: BTreeMap::new(),
        timeout: None,
        progress_timeout: None,
        keep_awake: false,
        demand: Demand::default(),
    }
}

fn look(dir: &Path, allow_commands: bool) -> Skills {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let skills_dir = dir.to_owned();
    Finder {
        skills_dir,
        path,
        environment: BTreeMap::new(),
        allow_commands,
        build: "1.2.3".to_owned(),
    }
    .look()
}

fn add(dir: &Path, name: &str, json: &str) {
    let folder = dir.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("skill.json"), json).unwrap();
}

#[cfg(unix)]
#[test]
fn a_skill_on_disk_is_advertised_and_resolved() {
    let dir = tempfile::tempdir().unwrap();
    add(
        dir.path(),
        "hello",
        r#"{"name":"hello","version":"1.4","run":{"command":["sh","-c","echo hi"]}}"#,
    );
    let skills = look(dir.path(), false);
    let advert = skills
        .adverts()
        .iter()
        .find(|advert| advert.name == "hello")
        .unwrap();
    assert!(
        advert.eligible && advert.content_hash.len() == 64,
        "{advert:?}"
    );
    assert!(matches!(
        skills.resolve(&spec("hello", &[])),
        Ok(Runnable::Skill(_))
    ));
    assert!(matches!(
        skills.resolve(&spec("hello >= 1.2", &[])),
        Ok(Runnable::Skill(_))
    ));
    let newer = skills.resolve(&spec("hello >= 2", &[])).unwrap_err();
    assert!(newer.contains("has version `1.4` here"), "{newer}");
    fs::remove_dir_all(dir.path().join("hello")).unwrap();
    assert!(
        skills
            .resolve(&spec("hello", &[]))
            .unwrap_err()
            .contains("has vanished")
    );
}

#[test]
fn a_skill_that_cannot_run_says_why_and_an_unknown_one_too() {
    let dir = tempfile::tempdir().unwrap();
    add(
        dir.path(),
        "broken",
        r#"{"name":"broken","run":{"command":["no-such-program-anywhere"]}}"#,
    );
    let skills = look(dir.path(), false);
    let why = skills.resolve(&spec("broken", &[])).unwrap_err();
    assert!(
        why.contains("missing program no-such-program-anywhere"),
        "{why}"
    );
    assert_eq!(
        skills.resolve(&spec("nowhere", &[])).unwrap_err(),
        "skill nowhere is not on this node"
    );
}

#[test]
fn a_skill_that_calls_itself_like_a_builtin_takes_nothing_from_it() {
    let dir = tempfile::tempdir().unwrap();
    add(
        dir.path(),
        "mimic",
        r#"{"name":"echo","run":{"command":["sh","-c","exit 1"]}}"#,
    );
    let skills = look(dir.path(), false);
    let echo: Vec<bool> = skills
        .adverts()
        .iter()
        .filter(|advert| advert.name == "echo")
        .map(|advert| advert.eligible)
        .collect();
    assert_eq!(echo, [true]);
    assert!(matches!(
        skills.resolve(&spec("echo", &[])),
        Ok(Runnable::Builtin(Builtin::Echo))
    ));
}

#[test]
fn builtins_are_always_there_even_without_a_skills_folder() {
    let skills = look(Path::new("/no/such/folder"), false);
    let names: Vec<&str> = skills
        .adverts()
        .iter()
        .map(|advert| advert.name.as_str())
        .collect();
    assert_eq!(names, ["echo", "sleep", "system-info"]);
    assert!(
        skills
            .adverts()
            .iter()
            .all(|advert| advert.eligible && advert.version == "1.2.3")
    );
    assert!(matches!(
        skills.resolve(&spec("echo", &[])),
        Ok(Runnable::Builtin(Builtin::Echo))
    ));
}

#[test]
fn programs_named_by_tasks_run_only_where_the_owner_lets_them() {
    let dir = tempfile::tempdir().unwrap();
    let refused = look(dir.path(), false)
        .resolve(&spec("", &["true"]))
        .unwrap_err();
    assert!(refused.contains("worker.allow_commands"), "{refused}");
    assert!(matches!(
        look(dir.path(), true).resolve(&spec("", &["true"])),
        Ok(Runnable::Command)
    ));
}
