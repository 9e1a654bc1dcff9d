//! `dev` before both programs run. That they do run is shown where the real ones are built.

use serde_json::json;

use crate::program::Home;

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_starts() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let home = Home::new(None);
    let ran = home.run(&["dev", "--port", &port, "--json"]).await;
    let error = ran.expect(1).json();
    assert_eq!(error["error"]["code"], "PORT_IN_USE");
    assert!(
        error["error"]["hint"].as_str().unwrap().contains("--port"),
        "{error}"
    );
}

#[cfg(unix)]
mod with_other_programs {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::program::finish;

    fn free_port() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    }

    /// Puts this program beside one named `openclaw-coordinator` that does what `script` says.
    fn install(dir: &Path, script: Option<&str>) -> std::path::PathBuf {
        let own = dir.join("openclaw-cluster");
        std::fs::copy(env!("CARGO_BIN_EXE_openclaw-cluster"), &own).unwrap();
        if let Some(script) = script {
            let other = dir.join("openclaw-coordinator");
            std::fs::write(&other, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        own
    }

    async fn dev(home: &Home, script: Option<&str>) -> crate::program::Ran {
        let program = install(home.path(), script);
        let mut command = tokio::process::Command::new(program);
        command
            .args(["dev", "--port", &free_port(), "--json"])
            .current_dir(home.path())
            .env("PATH", "/no/such/folder")
            .env(
                "OPENCLAW_CLUSTER_PROFILES",
                home.path().join("profiles.json"),
            )
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        finish(command.spawn().unwrap()).await
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_named_with_the_places_looked_at() {
        let home = Home::new(None);
        let error = dev(&home, None).await.expect(1).json();
        assert_eq!(error["error"]["code"], "PROGRAM_MISSING");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("openclaw-coordinator") && message.contains("PATH"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn a_coordinator_that_ends_at_once_is_told_with_its_last_words() {
        let home = Home::new(None);
        let script =
            "echo 'the store is locked by pid 7' >&2; echo $OPENCLAW__STORAGE__PATH; exit 3";
        let ran = dev(&home, Some(script)).await;
        let error = ran.expect(1).json();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("openclaw-coordinator ended with exit code 3"),
            "{message}"
        );
        assert!(
            message.contains("the store is locked by pid 7"),
            "{message}"
        );
        assert!(
            message.contains(".openclaw-dev/cluster.db"),
            "all its data is in the one folder: {message}"
        );
        assert_ne!(error["error"]["hint"], json!(null));
    }
}
