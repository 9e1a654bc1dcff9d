//! A copy of the project as a user has it.

use std::fs;
use std::path::{Path, PathBuf};

use super::binaries::project_dir;
use super::sandbox::Sandbox;

/// Copies what running the project takes (configuration, skills, recipes, scripts, README) into a folder of the
/// sandbox, and says where.
pub fn checkout(sandbox: &Sandbox) -> PathBuf {
    let target = sandbox.folder("project");
    for name in ["config", "skills", "recipes", "scripts"] {
        copy(&project_dir().join(name), &target.join(name));
    }
    fs::copy(project_dir().join("README.md"), target.join("README.md")).expect("the README");
    target
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
