use std::ffi::OsString;

use crate::environment::variable_of;
use crate::error::ConfigError;
use crate::load::Loader;

/// Loads settings that differ from the defaults in these; the broken rules as text.
fn broken(changes: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let variables = changes
        .iter()
        .map(|(key, value)| (OsString::from(variable_of(key)), OsString::from(value)));
    match Loader::new(dir.path()).environment(variables).load() {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid(all)) => all.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("not a broken rule: {other}"),
    }
}

#[test]
fn values_out_of_range_are_told_with_key_value_source_and_range() {
    let told = broken(&[("coordinator.port", "0")]);
    let expected = "coordinator.port = 0 (environment variable OPENCLAW__COORDINATOR__PORT) must lie between 1 and 65535";
    assert_eq!(told, [expected]);
    for (key, value) in [
        ("worker.max_concurrent_tasks", "0"),
        ("worker.port", "0"),
        ("worker.prefetch", "10001"),
        ("worker.cpus", "0"),
        ("worker.memory", "0"),
        ("worker.drain_timeout", "25h"),
        ("log.keep_days", "0"),
        ("log.max_size_mb", "0"),
        ("limits.queue", "0"),
        ("limits.json_depth", "1000"),
        ("limits.key", "1"),
        ("coordinator.heartbeat_check_interval", "0"),
        ("cluster.name", " "),
    ] {
        let told = broken(&[(key, value)]);
        assert!(
            told.len() == 1 && told[0].starts_with(&format!("{key} = ")),
            "{key}={value}: {told:?}"
        );
    }
}

#[test]
fn the_timeout_leaves_room_for_lost_heartbeats() {
    let told = broken(&[
        ("coordinator.heartbeat_timeout", "14"),
        ("coordinator.heartbeat_check_interval", "5"),
    ]);
    assert!(
        told.len() == 1 && told[0].contains("at least 3 × worker.heartbeat_interval (5s)"),
        "{told:?}"
    );
    let quick = [
        ("coordinator.heartbeat_timeout", "1500ms"),
        ("coordinator.heartbeat_check_interval", "200ms"),
        ("worker.heartbeat_interval", "0.25"),
    ];
    assert_eq!(broken(&quick), [""; 0], "short times are fine together");
}

#[test]
fn nodes_are_looked_for_at_least_once_a_timeout() {
    let told = broken(&[("coordinator.heartbeat_check_interval", "91")]);
    assert!(
        told[0].contains("must not exceed coordinator.heartbeat_timeout (90s)"),
        "{told:?}"
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let told = broken(&[
        ("worker.port", "0"),
        ("log.keep_days", "0"),
        ("coordinator.port", "0"),
    ]);
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn hosts_are_hosts_and_addresses_are_addresses() {
    for host in [
        "0.0.0.0",
        "::",
        "tailscale",
        "127.0.0.1",
        "mac.local",
        "fd7a:115c:a1e0::1",
    ] {
        assert_eq!(broken(&[("coordinator.host", host)]), [""; 0], "{host}");
    }
    for host in ["mac:8888", "http://mac", "", "a b"] {
        assert!(
            broken(&[("coordinator.host", host)])[0]
                .contains("the port stands in coordinator.port"),
            "{host}"
        );
    }
    let told = broken(&[("worker.coordinator", "mac,nats://mac:4222")]);
    assert!(
        told[0].contains("`nats://mac:4222`") && told[0].contains("NATS"),
        "{told:?}"
    );
    let told = broken(&[("security.allowed_hosts", "mac,http://x")]);
    assert!(told[0].contains("`http://x` is not fit"), "{told:?}");
}

#[test]
fn names_that_would_break_something_are_refused() {
    for (key, value) in [
        ("worker.node_id", "online"),
        ("worker.node_id", "../up"),
        ("worker.tags", "fine,not fine"),
        ("worker.pass_env", "A=B"),
        ("worker.env__OPENCLAW_CLUSTER_TASK_ID", "x"),
        ("worker.pools__memory", "1"),
        ("worker.pools__camera", "0"),
        ("communication.nats_url", "http://mac:4222"),
        ("log.level", "LOUD"),
    ] {
        let told = broken(&[(key, value)]);
        let key = key.split("__").next().unwrap();
        assert!(
            told.len() == 1 && told[0].starts_with(key),
            "{key}={value}: {told:?}"
        );
    }
    assert_eq!(
        broken(&[("log.level", "info,openclaw_core=debug")]),
        [""; 0]
    );
}

#[test]
fn what_travels_in_one_message_fits_into_one() {
    let told = broken(&[
        ("limits.parameters", "2MiB"),
        ("limits.inputs", "2MiB"),
        ("limits.batch_bytes", "8MiB"),
    ]);
    assert!(
        told.len() == 1 && told[0].contains("fit into 3 MiB"),
        "{told:?}"
    );
    let told = broken(&[("limits.result", "2MiB"), ("limits.outputs", "2MiB")]);
    assert!(
        told.len() == 1 && told[0].starts_with("limits.result"),
        "{told:?}"
    );
    let told = broken(&[("limits.batch_bytes", "1MiB")]);
    assert!(
        told.len() == 1 && told[0].contains("must hold at least one task"),
        "{told:?}"
    );
}

#[test]
fn a_secret_is_not_told_even_when_it_is_wrong() {
    let told = broken(&[("communication.nats_url", "http://me:hunter2@mac:4222")]);
    assert!(
        told[0].contains("(hidden)") && !told[0].contains("hunter2"),
        "{told:?}"
    );
}
