//! What keeps the state replayable.

use std::path::Path;

#[test]
fn the_state_knows_no_clock_no_runtime_no_wire_and_no_unordered_container() {
    let banned = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "async ",
        "tokio",
        "Mutex",
        "openclaw_proto",
        "std::fs",
        "std::env",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        files += 1;
        let source = std::fs::read_to_string(&path).unwrap();
        for line in source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            assert!(
                !banned.iter().any(|word| line.contains(word)),
                "{}: {line}",
                path.display()
            );
        }
    }
    assert!(files > 10, "only {files} files looked at");
}
