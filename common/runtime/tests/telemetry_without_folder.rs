//! A log folder that cannot be used costs the file, not the program.

#![cfg(test)]

use openclaw_runtime::telemetry::{Format, Options, Rotation, init};

#[test]
fn a_log_folder_that_cannot_be_made_does_not_stop_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let options = Options {
        program: "worker".to_owned(),
        level: "INFO".to_owned(),
        format: Format::Text,
        console: true,
        colour: false,
        file: Some(Rotation {
            dir: file.join("logs"),
            keep_days: 1,
            max_bytes: 1 << 20,
        }),
    };
    let telemetry = init(&options).unwrap();
    assert_eq!(telemetry.file(), None);
}
