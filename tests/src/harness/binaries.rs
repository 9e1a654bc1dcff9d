//! Where the programs under test are.

use std::path::{Path, PathBuf};

/// The project's folder.
pub fn project_dir() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The folder with the built programs: the one named by `OPENCLAW_BIN_DIR`, else the one cargo put this program's own
/// profile into.
pub fn binaries_dir() -> PathBuf {
    let dir = std::env::var_os("OPENCLAW_BIN_DIR").map_or_else(beside_this_program, PathBuf::from);
    for name in [
        "openclaw-coordinator",
        "openclaw-worker",
        "openclaw-cluster",
    ] {
        let path = dir.join(name);
        assert!(
            path.is_file(),
            "{} is missing: run scripts/test.sh, which builds the programs before the tests",
            path.display()
        );
    }
    dir
}

/// Tests lie in `target/<profile>/deps`, programs in `target/<profile>`.
fn beside_this_program() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its own program");
    let dir = this.parent().expect("a program lies in a folder");
    let up = dir.ends_with("deps").then(|| dir.parent()).flatten();
    up.unwrap_or(dir).to_owned()
}
