//! `openclaw-cluster dev`: a whole cluster in one folder, by one command.

use std::time::Duration;

use openclaw_tests::harness::{Cli, Process, Sandbox, Signal, free_port, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_in_one_folder_runs_commands_and_ends_with_ctrl_c() {
    let sandbox = Sandbox::new();
    let address = format!("127.0.0.1:{}", free_port());
    let port = address.rsplit(':').next().expect("a port");
    let cli = Cli::new(&sandbox).env("OPENCLAW_CLUSTER_ADDR", &address);
    let command = cli.command(&["dev", "--port", port, "--dir", "all", "--node-id", "me"]);
    let mut dev = Process::start("dev", command, &sandbox.path().join("console"));
    until("the node to be online", async || {
        assert!(dev.ended().is_none(), "{}", dev.console());
        let nodes = cli
            .call(&["node", "list", "--status", "online", "-q"])
            .await;
        (nodes.out.trim() == "me").then_some(())
    })
    .await;

    // The token is found by itself, and commands are allowed here.
    let hello = cli
        .call(&["run", "--json", "--wait", "30s", "--", "echo", "hello"])
        .await
        .json(0);
    assert!(hello["result"].to_string().contains("hello"), "{hello}");
    assert!(sandbox.path().join("all").is_dir());

    dev.signal(Signal::INT);
    let status = dev.wait(Duration::from_mins(1)).await;
    assert!(status.success(), "{status}:\n{}", dev.console());
    assert_eq!(sandbox.leftovers(), Vec::<String>::new());
}
