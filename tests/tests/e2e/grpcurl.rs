//! Stock grpcurl, which knows nothing of the project but what reflection tells it.

use std::path::PathBuf;
use std::process::Command;

use openclaw_tests::harness::{Cluster, Settings, project_dir, skip};
use serde_json::Value;

/// grpcurl from PATH, or where `scripts/test.sh` puts it; a name alone may be an empty wrapper.
fn grpcurl() -> Option<PathBuf> {
    let own = project_dir().join("target/tools/venv/bin/grpcurl");
    let candidates = [PathBuf::from("grpcurl"), own];
    candidates.into_iter().find(|path| {
        Command::new(path)
            .arg("-version")
            .output()
            .is_ok_and(|out| out.status.success())
    })
}

struct Grpcurl {
    program: PathBuf,
    address: String,
    token: String,
}

impl Grpcurl {
    async fn call(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command
            .arg("-plaintext")
            .args(["-H", &format!("authorization: Bearer {}", self.token)]);
        let (verb, rest): (Vec<&str>, Vec<&str>) = match arguments {
            ["-d", data, rest @ ..] => (vec!["-d", data], rest.to_vec()),
            rest => (Vec::new(), rest.to_vec()),
        };
        command.args(verb).arg(&self.address).args(rest);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    async fn json(&self, data: &str, method: &str) -> Value {
        let method = format!("openclaw.cluster.v1.ClusterService/{method}");
        serde_json::from_str(&self.call(&["-d", data, &method]).await).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_grpcurl_lists_describes_submits_and_gets() {
    let Some(program) = grpcurl() else {
        skip("stock grpcurl through reflection: grpcurl is not on this machine");
        return;
    };
    let cluster = Cluster::builder()
        .worker("one", Settings::default(), &[])
        .start()
        .await;
    let grpcurl = Grpcurl {
        program,
        address: cluster.coordinator.address(),
        token: cluster.coordinator.token(),
    };

    let services = grpcurl.call(&["list"]).await;
    for service in [
        "openclaw.cluster.v1.ClusterService",
        "openclaw.cluster.v1.WorkerService",
        "grpc.health.v1.Health",
    ] {
        assert!(services.contains(service), "{services}");
    }
    let methods = grpcurl
        .call(&["describe", "openclaw.cluster.v1.ClusterService"])
        .await;
    assert!(methods.contains("rpc SubmitTasks"), "{methods}");
    assert!(
        methods.contains("Accepts tasks, all or none"),
        "comments are not served:\n{methods}"
    );

    let data = r#"{"tasks": [{"skill": "echo", "parameters": "{\"text\": \"from grpcurl\"}"}]}"#;
    let accepted = grpcurl.json(data, "SubmitTasks").await;
    let id = accepted["tasks"][0]["taskId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let which = format!(r#"{{"task_id": "{id}"}}"#);
    let waited = grpcurl.json(&which, "WaitTask").await;
    assert_eq!(waited["final"], true, "{waited}");
    let got = grpcurl.json(&which, "GetTask").await;
    assert_eq!(got["task"]["status"], "TASK_STATUS_COMPLETED", "{got}");
    assert!(
        got["task"]["result"]
            .as_str()
            .expect("a result")
            .contains("from grpcurl"),
        "{got}"
    );
    cluster.end().await;
}
