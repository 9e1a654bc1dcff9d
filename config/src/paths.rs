//! What relative paths in settings are relative to.

use std::path::{Component, Path, PathBuf};

/// The folder that relative paths of a configuration file start from: the file's own, or the parent of that when it
/// is named `config`; without a file the current directory. `current_dir` must be absolute.
pub(crate) fn base(file: Option<&Path>, current_dir: &Path) -> PathBuf {
    let Some(file) = file else {
        return current_dir.to_owned();
    };
    let file = absolute(file, current_dir);
    let folder = file.parent().unwrap_or(current_dir);
    let is_config = folder
        .file_name()
        .is_some_and(|name| name.eq_ignore_ascii_case("config"));
    let base = if is_config {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    base.to_owned()
}

/// A path seen from `base`, without `.` and `..`; `~/` is the home folder, when there is one.
pub(crate) fn resolve(path: &Path, base: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => absolute(rest, home),
        _ => absolute(path, base),
    }
}

fn absolute(path: &Path, base: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(file: &str, current_dir: &str) -> PathBuf {
        base(Some(Path::new(file)), Path::new(current_dir))
    }

    #[test]
    fn a_folder_named_config_belongs_to_the_project_above_it() {
        for (file, current_dir, expected) in [
            ("config/config.yaml", "/project", "/project"),
            ("./config/config.yaml", "/project", "/project"),
            ("config.yaml", "/project/config", "/project"),
            ("../config.yaml", "/project/config/sub", "/project"),
            ("/etc/openclaw/worker.yaml", "/project", "/etc/openclaw"),
            ("config.yaml", "/project", "/project"),
            ("config.yaml", "/", "/"),
            ("config/config.yaml", "/", "/"),
        ] {
            assert_eq!(
                base_of(file, current_dir),
                Path::new(expected),
                "{file} from {current_dir}"
            );
        }
        assert_eq!(base(None, Path::new("/project")), Path::new("/project"));
    }

    #[test]
    fn relative_paths_start_at_the_base_and_absolute_ones_stay() {
        let resolved = |path: &str| {
            resolve(
                Path::new(path),
                Path::new("/project"),
                Some(Path::new("/home/ada")),
            )
        };
        assert_eq!(
            resolved("./data/cluster.db"),
            Path::new("/project/data/cluster.db")
        );
        assert_eq!(resolved("../shared/skills"), Path::new("/shared/skills"));
        assert_eq!(
            resolved("/var/lib/openclaw"),
            Path::new("/var/lib/openclaw")
        );
        assert_eq!(resolved("~/skills"), Path::new("/home/ada/skills"));
        assert_eq!(
            resolve(Path::new("~/x"), Path::new("/p"), None),
            Path::new("/p/~/x")
        );
    }
}
