use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Host, OpenClawConfig, Os, Programs, SystemHost};

/// An empty file that could be started.
fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(folder).expect("a folder");
    fs::write(&path, "").expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    path
}

fn joined(folders: &[&Path]) -> OsString {
    std::env::join_paths(folders).expect("a path")
}

#[test]
fn the_first_program_on_the_path_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let second = program(&two, "tool");
    fs::create_dir_all(one.join("tool")).expect("a folder that is no program");
    let programs = Programs::new(Os::Linux, &joined(&[&one, &two]), None);
    assert_eq!(programs.find("tool"), Some(second));
    let first = program(&one, "other");
    program(&two, "other");
    assert_eq!(programs.find("other"), Some(first.clone()));
    assert_eq!(programs.find("absent"), None);
    assert_eq!(programs.find(""), None);
    assert_eq!(programs.find(first.to_str().expect("UTF-8")), Some(first));
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_started_is_no_program() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("notes"), "").expect("a file");
    assert_eq!(
        Programs::new(Os::Linux, dir.path().as_os_str(), None).find("notes"),
        None
    );
}

#[test]
fn relative_folders_of_the_path_do_not_count() {
    let programs = Programs::new(Os::Linux, OsStr::new(".:bin:"), None);
    assert_eq!(programs.find("Cargo.toml"), None);
}

#[test]
fn windows_looks_for_the_extensions_of_pathext_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let cmd = program(dir.path(), "npm.cmd");
    program(dir.path(), "npm");
    let exe = program(dir.path(), "magick.exe");
    program(dir.path(), "magick.bat");
    let script = program(dir.path(), "run.ps1");
    let path = dir.path().as_os_str();
    let programs = Programs::new(Os::Windows, path, Some(OsStr::new(".COM;.EXE;.BAT;.CMD")));
    assert_eq!(
        programs.find("npm"),
        Some(cmd),
        "a file without extension does not start there"
    );
    assert_eq!(programs.find("magick"), Some(exe.clone()));
    assert_eq!(programs.find("magick.exe"), Some(exe.clone()));
    assert_eq!(programs.find("run"), None);
    assert_eq!(
        Programs::new(Os::Windows, path, Some(OsStr::new(".ps1"))).find("run"),
        Some(script)
    );
    assert_eq!(
        Programs::new(Os::Windows, path, None).find("magick"),
        Some(exe),
        "PATHEXT has a default"
    );
}

#[test]
fn systems_have_many_names() {
    for (name, os) in [
        ("darwin", Os::MacOs),
        ("macos", Os::MacOs),
        ("WIN32", Os::Windows),
        (" linux ", Os::Linux),
    ] {
        assert_eq!(Os::from_name(name), Some(os), "{name}");
    }
    assert_eq!(Os::from_name("beos"), None);
}

const CONFIG: &str = r#"{
  // written by hand
  browser: { enabled: false },
  channels: { discord: { token: "t" }, empty: "", zero: 0, list: [] },
  skills: { entries: {
    "nano-banana-pro": { enabled: true, apiKey: "SECRET", env: { EXTRA: "x", BLANK: " ", NUMBER: 5 } },
    linked: { apiKey: { source: "env", id: "X" } },
  } },
}"#;

#[test]
fn openclaws_configuration_is_truthy_where_openclaw_says_so() {
    let config = OpenClawConfig::parse(CONFIG).expect("reads");
    for (path, expected) in [
        ("browser.enabled", false),
        ("browser.evaluateEnabled", true),
        ("channels.discord.token", true),
        ("channels.discord", true),
        ("channels.list", true),
        ("channels.empty", false),
        ("channels.zero", false),
        ("channels.absent.deep", false),
        ("", false),
    ] {
        assert_eq!(config.is_truthy(path), expected, "{path}");
    }
    assert!(OpenClawConfig::default().is_truthy("browser.enabled"));
}

#[test]
fn a_skills_entry_gives_its_variables() {
    let config = OpenClawConfig::parse(CONFIG).expect("reads");
    let env = config.skill_env("nano-banana-pro", Some("GEMINI_API_KEY"));
    let expected: BTreeMap<String, String> = [("EXTRA", "x"), ("GEMINI_API_KEY", "SECRET")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    assert_eq!(env, expected);
    assert!(config.skill_env("linked", Some("X")).is_empty());
    assert!(config.skill_env("nobody", None).is_empty());
    assert!(!format!("{config:?}").contains("SECRET"));
}

#[test]
fn a_bad_configuration_is_an_error_without_its_content_and_a_missing_one_is_empty() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("openclaw.json");
    assert_eq!(OpenClawConfig::load(&path), Ok(OpenClawConfig::default()));
    fs::write(&path, "{ apiKey: 'SECRET' oops").expect("a file");
    let error = OpenClawConfig::load(&path).expect_err("refused");
    assert!(
        error.contains("openclaw.json") && !error.contains("SECRET"),
        "{error}"
    );
    let deep = "[".repeat(200_000);
    assert!(OpenClawConfig::parse(&deep).is_err());
}

#[test]
fn the_configuration_is_where_openclaw_keeps_it() {
    let at = |pairs: &[(&str, &str)], home: Option<&str>| {
        let pairs: BTreeMap<String, OsString> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        OpenClawConfig::location(|key| pairs.get(key).cloned(), home.map(Path::new))
    };
    assert_eq!(
        at(&[], Some("/h")),
        Some(PathBuf::from("/h/.openclaw/openclaw.json"))
    );
    assert_eq!(
        at(&[("OPENCLAW_STATE_DIR", "/s")], Some("/h")),
        Some(PathBuf::from("/s/openclaw.json"))
    );
    assert_eq!(
        at(
            &[
                ("OPENCLAW_CONFIG_PATH", "/c.json"),
                ("OPENCLAW_STATE_DIR", "/s")
            ],
            None
        ),
        Some("/c.json".into())
    );
    assert_eq!(at(&[("OPENCLAW_STATE_DIR", "")], None), None);
}

proptest::proptest! {
    #[test]
    fn no_text_panics_the_configurations_reader(text in "\\PC{0,200}|[{}\\[\\]:,'\"a-z/*\\\\\n]{0,60}") {
        let _ = OpenClawConfig::parse(&text);
    }
}

#[cfg(unix)]
mod real {
    use std::time::{Duration, Instant};

    use super::*;

    fn host() -> SystemHost {
        SystemHost::new(
            "/bin:/usr/bin".into(),
            [("KEY".into(), "v".into()), ("EMPTY".into(), "".into())],
        )
    }

    fn sh(script: &str) -> Vec<OsString> {
        ["/bin/sh", "-c", script].map(OsString::from).to_vec()
    }

    #[test]
    fn a_probe_is_judged_by_its_exit_and_quotes_its_first_complaint() {
        assert_eq!(host().probe(&sh("exit 0")), Ok(()));
        assert_eq!(
            host().probe(&sh("echo; echo no licence >&2; exit 3")),
            Err("exit status: 3: no licence".to_owned())
        );
        assert_eq!(
            host().probe(&sh("exit 4")),
            Err("exit status: 4".to_owned())
        );
        assert!(host().probe(&["/nonexistent".into()]).is_err());
    }

    #[test]
    fn a_probe_sees_the_recorded_environment_only() {
        assert_eq!(
            host().probe(&sh(
                "test \"$KEY\" = v && test \"$PATH\" = /bin:/usr/bin && test -z \"$HOME\""
            )),
            Ok(())
        );
    }

    #[test]
    fn a_probe_that_hangs_is_ended() {
        let begun = Instant::now();
        let host = host().probe_limit(Duration::from_millis(200));
        assert_eq!(
            host.probe(&sh("exec sleep 60")),
            Err("no answer within 0.2 s".to_owned())
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_probe_whose_child_lives_on_does_not_hold_us_up() {
        let begun = Instant::now();
        assert_eq!(host().probe(&sh("sleep 3 & exit 0")), Ok(()));
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn the_environment_and_openclaws_entries_both_count() {
        let host = host()
            .openclaw(OpenClawConfig::parse(CONFIG).expect("reads"))
            .builtins(["echo"]);
        assert!(host.has_env("any", "KEY", false));
        assert!(!host.has_env("any", "EMPTY", false));
        assert!(host.has_env("nano-banana-pro", "GEMINI_API_KEY", true));
        assert!(!host.has_env("nano-banana-pro", "GEMINI_API_KEY", false));
        assert!(host.has_env("nano-banana-pro", "EXTRA", false));
        assert!(!host.has_config("browser.enabled"));
        assert!(host.has_builtin("echo") && !host.has_builtin("x"));
        assert_eq!(
            host.find_program("sh")
                .and_then(|path| path.file_name().map(OsStr::to_owned)),
            Some("sh".into())
        );
    }
}
