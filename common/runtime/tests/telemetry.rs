//! The process's one subscriber, tested in a process of its own.

#![cfg(test)]

use openclaw_runtime::telemetry::{Format, Options, Rotation, TelemetryError, init};

#[test]
fn a_running_program_logs_to_its_file_and_changes_its_level() {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation {
        dir: dir.path().join("logs"),
        keep_days: 14,
        max_bytes: 1 << 20,
    };
    let options = Options {
        program: "coordinator".to_owned(),
        level: "WARNING".to_owned(),
        format: Format::Json,
        console: false,
        colour: false,
        file: Some(rotation),
    };
    let telemetry = init(&options).unwrap();
    let path = telemetry.file().unwrap().to_owned();
    assert_eq!(path, dir.path().join("logs/coordinator.log"));

    tracing::info!("too quiet");
    tracing::warn!(node = "mac", "loud enough");
    telemetry.set_level("DEBUG").unwrap();
    tracing::debug!("now it is");
    assert!(
        telemetry.set_level("LOUD").is_err(),
        "a wrong level changes nothing"
    );
    let panicked = std::thread::Builder::new()
        .name("doomed".to_owned())
        .spawn(|| panic!("on purpose"));
    assert!(panicked.unwrap().join().is_err());
    assert!(matches!(init(&options), Err(TelemetryError::Twice(_))));
    assert_eq!(telemetry.dropped_lines(), 0);
    drop(telemetry);

    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(messages, ["loud enough", "now it is", "a thread panicked"]);
    assert_eq!(
        (&lines[0]["level"], &lines[0]["node"]),
        (&"WARN".into(), &"mac".into())
    );
    assert_eq!(
        (&lines[2]["thread"], &lines[2]["panic"]),
        (&"doomed".into(), &"on purpose".into())
    );
}
