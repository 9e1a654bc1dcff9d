use std::fs;
use std::path::Path;

use openclaw_skill::argv::{Context, expand};
use openclaw_skill::eligibility::Runnable;
use openclaw_skill::host::Os;
use serde_json::{Value, json};

use super::{Attempt, own_test, python_skill, skill};

fn disk_report() -> Option<Runnable> {
    python_skill("disk-report")
}

fn report(skill: &Runnable, path: &Path, more: &[(&str, Value)]) -> Value {
    let mut params = json!({"path": path, "measure": "length"});
    for (key, value) in more {
        params[key] = value.clone();
    }
    Attempt::run(skill, &params, &[]).result()
}

#[test]
fn disk_report_passes_its_own_test() {
    let Some(skill) = disk_report() else { return };
    own_test(&skill);
}

#[test]
fn disk_report_measures_by_what_a_system_can_tell() {
    let skill = skill("disk-report");
    let python = ["python3".into()];
    for (os, measure) in [
        (Os::Linux, "allocated"),
        (Os::MacOs, "allocated"),
        (Os::Windows, "length"),
    ] {
        let run = skill
            .run()
            .and_then(|run| run.for_os(os))
            .expect("a command");
        assert!(run.input_schema.is_some() && run.output_schema.is_some() && run.test.is_some());
        let context = Context {
            base_dir: Path::new("/skill"),
            python: Some(&python),
            params: &Value::Null,
            inputs: &[],
            input_dir: Path::new("/in"),
            output_dir: Path::new("/out"),
        };
        let argv = expand(&run.command, &context).expect("expands");
        assert_eq!(argv[0], "python3");
        assert_eq!(argv[2..], ["--measure", measure], "{os}");
    }
}

#[test]
fn disk_report_lists_the_largest_and_adds_up_folders() {
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().canonicalize().expect("a path");
    fs::create_dir_all(root.join("a/b")).expect("folders");
    fs::create_dir(root.join("empty")).expect("a folder");
    for (name, length) in [("a/b/big", 3000), ("a/small", 10), ("top", 200)] {
        fs::write(root.join(name), vec![0; length]).expect("a file");
    }
    let result = report(&skill, &root, &[("top", json!(2))]);
    assert_eq!(
        (&result["bytes"], &result["files"], &result["folders"]),
        (&json!(3210), &json!(3), &json!(3))
    );
    assert_eq!(
        result["largest_files"],
        json!([{"path": root.join("a/b/big"), "bytes": 3000}, {"path": root.join("top"), "bytes": 200}])
    );
    assert_eq!(
        result["largest_folders"],
        json!([{"path": root.join("a"), "bytes": 3010}, {"path": root.join("a/b"), "bytes": 3000}])
    );
    assert!(result["volume"]["total"].as_u64() >= result["volume"]["free"].as_u64());
    assert_eq!(
        report(&skill, &root, &[("top", json!(0))])["largest_files"],
        json!([])
    );
}

#[cfg(unix)]
#[test]
fn disk_report_follows_no_link_and_counts_a_file_once() {
    use std::os::unix::fs::symlink;
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("in")).expect("folders");
    fs::write(dir.path().join("outside"), vec![0; 5000]).expect("a file");
    fs::write(root.join("file"), vec![0; 100]).expect("a file");
    fs::hard_link(root.join("file"), root.join("in/again")).expect("a second name");
    symlink(&root, root.join("in/round")).expect("a link");
    symlink("../outside", root.join("out")).expect("a link");
    symlink("nowhere", root.join("dangling")).expect("a link");
    symlink(&root, dir.path().join("asked")).expect("a link");
    for asked in ["root", "asked"] {
        let result = report(&skill, &dir.path().join(asked), &[]);
        assert_eq!(
            (&result["bytes"], &result["files"], &result["links"]),
            (&json!(100), &json!(1), &json!(3)),
            "{asked}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn disk_report_takes_names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff\nname");
    fs::write(dir.path().join(odd), "1234").expect("a file");
    let result = report(&skill, dir.path(), &[]);
    let path = result["largest_files"][0]["path"].as_str().expect("text");
    assert!(path.ends_with("odd\u{fffd}\nname"), "{path}");
}

#[cfg(unix)]
#[test]
fn disk_report_goes_on_where_it_may_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::write(dir.path().join("file"), "1234").expect("a file");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closed");
    let may_read = fs::read_dir(&closed).is_ok();
    let result = report(&skill, dir.path(), &[]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("opened");
    assert_eq!(
        (&result["bytes"], &result["complete"]),
        (&json!(4), &json!(true))
    );
    if may_read {
        eprintln!("SKIPPED: this user may read everything");
    } else {
        assert_eq!(result["unreadable"], 1);
    }
}

#[test]
fn disk_report_goes_as_deep_as_folders_do() {
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let mut deep = dir.path().to_owned();
    for _ in 0..if cfg!(unix) { 1500 } else { 40 } {
        deep.push("d");
    }
    fs::create_dir_all(&deep).expect("folders");
    fs::write(deep.join("f"), "1234").expect("a file");
    let result = report(&skill, dir.path(), &[]);
    assert_eq!(
        (&result["bytes"], &result["unreadable"]),
        (&json!(4), &json!(0))
    );
}

#[test]
fn disk_report_says_what_is_wrong_and_whose_fault_it_is() {
    let Some(skill) = disk_report() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    let refusal = |params: Value| Attempt::run(&skill, &params, &[]).refusal();
    let (code, says) = refusal(json!({"path": dir.path().join("none")}));
    assert_eq!(code, Some(66));
    assert!(
        says.ends_with("none does not exist on this machine"),
        "{says}"
    );
    let (code, says) = refusal(json!({"path": file}));
    assert_eq!(code, Some(66));
    assert!(says.ends_with("is no folder"), "{says}");
    for params in [
        json!({"path": ""}),
        json!({"path": "a\0b"}),
        json!({"path": 5}),
        json!({"seconds": 0}),
        json!({"seconds": "60"}),
        json!({"top": 1.5}),
        json!({"measure": "weight"}),
        json!({"measure": ["length"]}),
        json!([]),
    ] {
        assert_eq!(refusal(params.clone()).0, Some(64), "{params}");
    }
}
