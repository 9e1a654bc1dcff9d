use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{EntryKind, HashError, MAX_FILES, entries, folder};

fn skill(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        write(dir.path(), path, content);
    }
    dir
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("a file");
}

#[test]
fn the_same_files_have_the_same_hash_whoever_wrote_them_when() {
    let one = skill(&[
        ("SKILL.md", "x"),
        ("scripts/a.py", "1"),
        ("scripts.txt", "2"),
    ]);
    let other = skill(&[
        ("scripts.txt", "2"),
        ("scripts/a.py", "1"),
        ("SKILL.md", "x"),
    ]);
    let hash = folder(one.path()).expect("a hash");
    assert_eq!(hash, folder(other.path()).expect("a hash"));
    assert_eq!(hash.len(), 64);
}

#[test]
fn path_and_content_both_count() {
    let hash = |files: &[(&str, &str)]| folder(skill(files).path()).expect("a hash");
    let base = hash(&[("a", "1"), ("b", "2")]);
    assert_ne!(base, hash(&[("a", "2"), ("b", "1")]));
    assert_ne!(base, hash(&[("a", "1"), ("c", "2")]));
    assert_ne!(base, hash(&[("a", "1"), ("d/b", "2")]));
    assert_ne!(hash(&[("ab", "")]), hash(&[("a", "b")]));
}

#[test]
fn what_running_leaves_behind_does_not_count() {
    let dir = skill(&[("main.py", "1")]);
    let before = folder(dir.path()).expect("a hash");
    for path in [
        "__pycache__/main.cpython.pyc",
        "x/main.pyc",
        ".git/HEAD",
        "node_modules/a/b.js",
        ".DS_Store",
        "Thumbs.db",
    ] {
        write(dir.path(), path, "noise");
    }
    assert_eq!(before, folder(dir.path()).expect("a hash"));
    write(dir.path(), ".env", "content");
    assert_ne!(
        before,
        folder(dir.path()).expect("a hash"),
        "a dot file is part of the skill"
    );
}

#[test]
fn entries_are_sorted_by_path() {
    let dir = skill(&[("b/z", ""), ("a.txt", "12"), ("a/x", "")]);
    let list = entries(dir.path()).expect("entries");
    assert_eq!(
        list.iter()
            .map(|entry| entry.path.as_str())
            .collect::<Vec<_>>(),
        ["a.txt", "a/x", "b/z"]
    );
    assert_eq!(
        list[0].kind,
        EntryKind::File {
            executable: false,
            bytes: 2
        }
    );
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    assert!(matches!(
        folder(Path::new("/nonexistent/skill")),
        Err(HashError::Io { .. })
    ));
}

#[test]
fn too_many_files_are_refused() {
    let dir = skill(&[]);
    for number in 0..=MAX_FILES {
        fs::write(dir.path().join(number.to_string()), "").expect("a file");
    }
    assert!(matches!(folder(dir.path()), Err(HashError::TooLarge)));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_executable_bit_counts_and_other_permissions_do_not() {
        let dir = skill(&[("run.sh", "x")]);
        let path = dir.path().join("run.sh");
        let with_mode = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
            folder(dir.path()).expect("a hash")
        };
        assert_ne!(with_mode(0o644), with_mode(0o755));
        assert_eq!(with_mode(0o644), with_mode(0o600));
    }

    #[test]
    fn links_inside_count_by_target_and_links_outside_are_refused() {
        let dir = skill(&[("a", "1"), ("sub/b", "1")]);
        let plain = folder(dir.path()).expect("a hash");
        symlink("sub/b", dir.path().join("link")).expect("a link");
        let linked = folder(dir.path()).expect("a hash");
        assert_ne!(plain, linked);
        fs::remove_file(dir.path().join("link")).expect("removed");
        symlink("a", dir.path().join("link")).expect("a link");
        assert_ne!(linked, folder(dir.path()).expect("a hash"));
        for target in ["../outside", "/etc/passwd", "sub/../../x"] {
            fs::remove_file(dir.path().join("link")).expect("removed");
            symlink(target, dir.path().join("link")).expect("a link");
            let error = folder(dir.path()).expect_err("refused");
            assert_eq!(
                error.to_string(),
                "the link link leaves the skill's folder",
                "{target}"
            );
        }
    }

    #[test]
    fn a_dangling_link_inside_is_carried_as_it_is() {
        let dir = skill(&[("a", "1")]);
        symlink("nowhere", dir.path().join("link")).expect("a link");
        assert!(folder(dir.path()).is_ok());
    }
}
