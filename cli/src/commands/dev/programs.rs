//! Where the other two programs are: beside this one, else on the PATH.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The program `name`.
pub(super) fn find(name: &str) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().ok();
    find_in(name, own.as_deref().and_then(Path::parent), |name| {
        which::which(name).ok()
    })
}

fn find_in(
    name: &str,
    beside: Option<&Path>,
    on_path: impl Fn(&str) -> Option<PathBuf>,
) -> Result<PathBuf, Failure> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let sibling = beside
        .map(|dir| dir.join(&file))
        .filter(|path| path.is_file());
    sibling.or_else(|| on_path(name)).ok_or_else(|| {
        let looked = beside
            .map(|dir| format!("in {} and ", dir.display()))
            .unwrap_or_default();
        Failure::local(
            "PROGRAM_MISSING",
            format!("cannot find {file}: looked {looked}on the PATH"),
        )
        .hint("build all three programs: cargo build --release, or install them into one folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_beside_this_one_wins_over_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let on_path = |_: &str| Some(PathBuf::from("/usr/bin/prog"));
        assert_eq!(
            find_in("prog", Some(dir.path()), on_path).unwrap(),
            Path::new("/usr/bin/prog")
        );
        let sibling = dir
            .path()
            .join(format!("prog{}", std::env::consts::EXE_SUFFIX));
        std::fs::write(&sibling, "").unwrap();
        assert_eq!(find_in("prog", Some(dir.path()), on_path).unwrap(), sibling);
        let failure = find_in("other", Some(dir.path()), |_| None).unwrap_err();
        assert!(
            failure.message.contains("other") && failure.message.contains("PATH"),
            "{failure}"
        );
    }
}
