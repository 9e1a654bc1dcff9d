//! What goes wrong outside of tasks: each is a clear error, and nothing is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use openclaw_proto::v1::TaskStatus;
use openclaw_tests::harness::{
    Cli, Client, Cluster, Coordinator, Http, Process, Sandbox, Settings, Worker, free_port,
    parameters, spec, until,
};
use serde_json::json;
use tonic::Code;

const END: Duration = Duration::from_secs(30);
const UNKNOWN: &str = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// What a coordinator that cannot start says; the test fails when it starts.
async fn refused(sandbox: &Sandbox, settings: Settings) -> String {
    let folder = sandbox.folder("refused");
    let mut command = sandbox.program("openclaw-coordinator");
    command.arg("--config").arg(settings.write(&folder));
    let mut process = Process::start("refused coordinator", command, &folder.join("console"));
    let status = process.wait(END).await;
    assert!(!status.success(), "it ended well:\n{}", process.console());
    process.console()
}

fn contains_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named_with_what_to_do() {
    let cluster = Cluster::builder().start().await;
    let port: u16 = cluster
        .coordinator
        .address()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let settings = Settings::default()
        .with("coordinator.host", "127.0.0.1")
        .with("coordinator.port", port);
    let text = refused(&cluster.sandbox, settings).await;
    contains_all(&text, &[&format!("127.0.0.1:{port}"), "in use", "--port"]);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_is_refused_and_its_holder_named() {
    let mut cluster = Cluster::builder().start().await;
    let store = cluster.coordinator.dir().join("data/cluster.db");
    let settings = Settings::default()
        .with("coordinator.host", "127.0.0.1")
        .with("coordinator.port", free_port())
        .with("storage.path", store.to_str().unwrap());
    let text = refused(&cluster.sandbox, settings).await;
    let holder = cluster.coordinator.process().id().to_string();
    contains_all(&text, &["coordinator", &holder]);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder("locked");
    let settings = Settings::default()
        .with("coordinator.host", "127.0.0.1")
        .with("coordinator.port", free_port())
        .with("log.dir", sandbox.folder("logs").to_str().unwrap());
    let config = settings.write(&folder);
    for (path, mode) in [
        (sandbox.path(), 0o755),
        (&sandbox.path().join("logs"), 0o777),
        (&folder, 0o555),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = sandbox.program("openclaw-coordinator");
    command.arg("--config").arg(config);
    // Permissions don't bind root: the program runs as nobody then.
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let mut process = Process::start("coordinator", command, &sandbox.path().join("console"));
    let status = process.wait(END).await;
    assert!(!status.success(), "it ended well");
    contains_all(
        &process.console(),
        &[folder.join("data").to_str().unwrap(), "ermission denied"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_not_found_on_every_face() {
    let cluster = Cluster::builder().start().await;
    let error = cluster.client().get(UNKNOWN).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    assert!(error.message().contains(UNKNOWN), "{error}");

    let http = cluster.http();
    for path in [
        format!("/api/v1/tasks/{UNKNOWN}"),
        "/api/v1/nodes/nobody".to_owned(),
        "/api/v1/nothing".to_owned(),
    ] {
        let (status, problem) = http.get(&path).await.unwrap();
        assert_eq!(
            (status, problem["status"].as_u64()),
            (404, Some(404)),
            "{path}: {problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{problem}"
        );
    }
    let answer = cluster
        .cli()
        .call(&["task", "info", UNKNOWN, "--json"])
        .await
        .expect(7);
    let text = format!("{}{}", answer.out, answer.err);
    contains_all(&text, &[UNKNOWN, "NOT_FOUND"]);
    cluster
        .cli()
        .call(&["node", "info", "nobody"])
        .await
        .expect(7);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_too_deep_or_unknown_is_refused_by_name() {
    let cluster = Cluster::builder().start().await;
    let (client, http) = (cluster.client(), cluster.http());

    let large = spec("echo", &json!({"text": "x".repeat(1024 * 1024)}));
    let error = client
        .submit(vec![spec("echo", &json!({})), large])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    contains_all(error.message(), &["parameters", "tasks[1]"]);

    let mut deep = json!(1);
    for _ in 0..70 {
        deep = json!({"d": deep});
    }
    let error = client.submit(vec![spec("echo", &deep)]).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    contains_all(error.message(), &["parameters", "64"]);

    let (status, problem) = http
        .post(
            "/api/v1/tasks",
            &json!({"skill": "echo", "parameters": deep}),
        )
        .await
        .unwrap();
    assert!((400..500).contains(&status), "{status} {problem}");
    let (status, problem) = http
        .post("/api/v1/tasks", &json!({"skill": "echo", "timeouts": 5}))
        .await
        .unwrap();
    assert!((400..500).contains(&status), "{status} {problem}");
    contains_all(
        problem["detail"].as_str().unwrap_or_default(),
        &["timeouts", "timeout"],
    );
    assert_eq!(
        client.all().await.unwrap().len(),
        0,
        "a refused request left something behind"
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_is_not_there_or_not_named_well_is_explained() {
    let sandbox = Sandbox::new();
    let cli = Cli::new(&sandbox);
    let nobody = format!("127.0.0.1:{}", free_port());
    let answer = cli.call(&["status", "--addr", &nobody]).await.expect(9);
    contains_all(&answer.err, &[&nobody]);
    let answer = cli.call(&["status", "--addr", &nobody, "--json"]).await;
    let error = answer.json(9);
    let code = error["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        !code.is_empty() && error["error"]["hint"].is_string(),
        "{error}"
    );
    let cluster = Cluster::builder().start().await;
    let address = cluster.coordinator.address();
    for scheme in ["https", "nats", "ftp"] {
        let answer = cluster
            .cli()
            .call(&["status", "--addr", &format!("{scheme}://{address}")])
            .await;
        assert!(matches!(answer.code, Some(2 | 9)), "{answer:?}");
        contains_all(&answer.err, &[scheme]);
    }
    cluster
        .cli()
        .call(&["status", "--addr", &format!("http://{address}")])
        .await
        .expect(0);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_one_may_look_but_not_touch() {
    let cluster = Cluster::builder().start().await;
    let address = cluster.coordinator.address();
    for token in [None, Some("oc_admin_nonsense"), Some("wrong")] {
        let client = Client::new(&address, token);
        let error = client
            .submit(vec![spec("echo", &json!({}))])
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{error}");
        assert!(error.message().contains("token"), "{error}");
        let http = Http::new(&address, token.map(str::to_owned));
        let (status, problem) = http
            .post("/api/v1/tasks", &json!({"skill": "echo"}))
            .await
            .unwrap();
        assert_eq!(status, 401, "{problem}");
    }
    assert!(
        Client::new(&address, None).nodes().await.is_ok(),
        "loopback may read without a token"
    );
    let wrong = cluster.cli().env("OPENCLAW_CLUSTER_TOKEN", "wrong");
    let answer = wrong
        .call(&["run", "echo", "--param", "a=1"])
        .await
        .expect(8);
    contains_all(&answer.err, &["token"]);
    assert_eq!(cluster.client().all().await.unwrap().len(), 0);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_wrong_token_says_so() {
    let cluster = Cluster::builder().start().await;
    let settings =
        Settings::default().with("worker.coordinator", vec![cluster.coordinator.address()]);
    for (name, token) in [("wrong", Some("wrong".to_owned())), ("none", None)] {
        let mut worker = Worker::new(&cluster.sandbox, name, settings.clone(), token);
        // None in the environment either: another home.
        worker.launch(&cluster.sandbox);
        until("the worker to name the token", async || {
            worker.process().console().contains("token").then_some(())
        })
        .await;
        let seen = cluster.client().nodes().await.unwrap();
        assert!(
            seen.iter()
                .all(|node| node.node_id != name || name == "none"),
            "{seen:?}"
        );
        worker.kill();
        if name == "wrong" {
            let home = cluster.sandbox.path().join("home/.config");
            // The coordinator leaves its token where the same user's tools find it; this one shall have none.
            let _ = std::fs::remove_dir_all(home);
        }
    }
    cluster.end().await;
}

/// A command with its data on standard input, as a pipe gives it.
fn with_input(cli: &Cli<'_>, arguments: &[&str], input: &[u8], dir: &Path) -> std::process::Output {
    let file = dir.join("stdin");
    std::fs::write(&file, input).unwrap();
    let mut command = cli.command(arguments);
    command.stdin(Stdio::from(std::fs::File::open(&file).unwrap()));
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_are_no_json_are_a_usage_error() {
    let cluster = Cluster::builder().start().await;
    let cli = cluster.cli();
    for bad in ["{\"a\": ", "[1, 2]", ""] {
        let output = with_input(
            &cli,
            &["run", "echo", "--params-file", "-", "--detach"],
            bad.as_bytes(),
            cluster.sandbox.path(),
        );
        assert_eq!(
            output.status.code(),
            Some(2),
            "{bad:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_names_the_same_task_and_another_body_is_refused() {
    let cluster = Cluster::builder().start().await;
    let http = cluster.http();
    let body =
        |text: &str| json!({"skill": "echo", "parameters": {"text": text}, "idempotency_key": "k"});
    let (status, first) = http.post("/api/v1/tasks", &body("one")).await.unwrap();
    assert_eq!(status, 202, "{first}");
    let (status, second) = http.post("/api/v1/tasks", &body("one")).await.unwrap();
    assert_eq!((status, &second["task_id"]), (202, &first["task_id"]));
    let (status, third) = http.post("/api/v1/tasks", &body("two")).await.unwrap();
    assert_eq!(status, 409, "{third}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_in_the_middle_of_work_is_orderly_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let mut coordinator = Coordinator::new(&sandbox, "127.0.0.1", Settings::default());
    coordinator.start(&sandbox).await;
    let (address, token) = (coordinator.address(), coordinator.token());
    let settings = Settings::default()
        .with("worker.coordinator", vec![address.clone()])
        .with("worker.drain_timeout", "1s");
    let mut worker = Worker::new(&sandbox, "one", settings, Some(token.clone()));
    openclaw_tests::harness::install(&worker.skills(), "append", "append");
    worker.launch(&sandbox);
    let client = Client::new(&address, Some(&token));
    client.online("one").await;
    let runs = openclaw_tests::harness::Runs::in_folder(sandbox.path());
    let id = client
        .submit_one(spec("append", &parameters(&runs, 600.0, 0, 0)))
        .await;
    client.running(&id).await;
    // The drain time is up before the task ends: it is handed back, its processes are gone.
    worker.end().await;
    let task = until("the task to be handed back", async || {
        client
            .get(&id)
            .await
            .ok()
            .filter(|task| task.status() == TaskStatus::Pending)
    })
    .await;
    assert_eq!((task.retry_count, task.infra_losses), (0, 0), "{task:?}");
    coordinator.end().await;
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}
