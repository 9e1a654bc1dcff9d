//! The tests' own skills, and copies of them under other names.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Copies the test skill `name` (a folder of `tests/skills`) into `skills_dir`, under the name `called`.
pub fn install(skills_dir: &Path, name: &str, called: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("skills")
        .join(name);
    let target = skills_dir.join(called);
    fs::create_dir_all(&target).expect("a folder for the skill");
    for entry in
        fs::read_dir(&source).unwrap_or_else(|error| panic!("no test skill {name}: {error}"))
    {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name");
        fs::copy(&path, target.join(file)).expect("a copy");
    }
    let manifest = target.join("skill.json");
    let text = fs::read(&manifest).expect("a manifest");
    let mut value: Value = serde_json::from_slice(&text).expect("a manifest in JSON");
    value["name"] = called.into();
    fs::write(&manifest, value.to_string()).expect("the manifest");
}
