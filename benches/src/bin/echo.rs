//! Latency and throughput of `echo` on real programs: one coordinator, one worker, this client, one machine.
//!
//! `cargo build --release --workspace --bins && target/release/echo`

#![forbid(unsafe_code)]

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this benchmark starts and stops its programs by Unix signals: it does not run here");
}

#[cfg(unix)]
mod unix {
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use anyhow::{Context as _, bail, ensure};
    use clap::Parser;
    use openclaw_benches::figures::Series;
    use openclaw_proto::v1::TaskSpec;
    use openclaw_proto::v1::run_task_response::Event;
    use openclaw_tests::harness::{Client, Cluster, Settings, spec, until_within};
    use serde_json::{Value, json};

    /// Tasks in one submit: the default limit.
    const BATCH: usize = 10_000;

    /// Measures `echo`: submit to result in one call on an idle cluster, and tasks a second by batches.
    #[derive(Debug, Parser)]
    struct Args {
        /// Store of the coordinator: sled, sqlite or memory
        #[arg(long, default_value = "sled")]
        store: String,
        /// Calls of the latency run
        #[arg(long, default_value_t = 3000)]
        calls: usize,
        /// Tasks of the throughput run
        #[arg(long, default_value_t = 100_000)]
        tasks: usize,
        /// Slots of the worker
        #[arg(long, default_value_t = 64)]
        slots: u32,
        /// Also write the figures as JSON into this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    }

    pub(super) fn main() -> anyhow::Result<()> {
        let args = Args::parse();
        let runtime = tokio::runtime::Runtime::new().context("the system gives no threads")?;
        let figures = runtime.block_on(measure(&args))?;
        report(&figures);
        if let Some(path) = &args.json {
            let text = serde_json::to_string_pretty(&figures)?;
            std::fs::write(path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    async fn measure(args: &Args) -> anyhow::Result<Value> {
        let settings = Settings::default().with("storage.type", args.store.as_str());
        let worker = Settings::default().with("worker.max_concurrent_tasks", args.slots);
        let cluster = Cluster::builder()
            .settings(&settings)
            .worker("one", worker, &[])
            .start()
            .await;
        let client = cluster.client();
        let latency = latency(&client, args.calls).await?;
        let rate = throughput(&client, args.calls, args.tasks).await?;
        cluster.end().await;
        Ok(json!({
            "store": args.store,
            "slots": args.slots,
            "debug_build": cfg!(debug_assertions),
            "latency": latency.json(),
            "throughput": rate,
        }))
    }

    fn echo() -> TaskSpec {
        spec("echo", &json!({"text": "hi"}))
    }

    /// Time from the call to the final task, one call after the other; the first tenth is not counted.
    async fn latency(client: &Client, calls: usize) -> anyhow::Result<Series> {
        let mut series = Series::default();
        for call in 0..calls {
            let start = Instant::now();
            let mut stream = client.run(echo()).await?;
            let task = loop {
                let message = stream.message().await?;
                if let Some(Event::Task(task)) = message.context("the stream ended early")?.event {
                    break task;
                }
            };
            let time = start.elapsed();
            ensure!(task.error.is_none(), "echo failed: {task:?}");
            if call >= calls / 10 {
                series.add(time);
            }
        }
        Ok(series)
    }

    /// Tasks a second from the first submit until the last one is recorded; `before` tasks ended earlier.
    async fn throughput(client: &Client, before: usize, tasks: usize) -> anyhow::Result<Value> {
        let wanted = u64::try_from(before + tasks)?;
        let start = Instant::now();
        let mut left = tasks;
        while left > 0 {
            let count = left.min(BATCH);
            let accepted = client.submit(vec![echo(); count]).await?;
            ensure!(
                accepted.len() == count,
                "{} of {count} accepted",
                accepted.len()
            );
            left -= count;
        }
        let submitted = start.elapsed();
        let limit = Duration::from_mins(10);
        let ended = until_within(limit, "all tasks to end", async || {
            let node = client.node("one").await.ok()?;
            (node.total_tasks_processed >= wanted).then_some(node)
        })
        .await;
        let whole = start.elapsed();
        if ended.successful_tasks != wanted {
            bail!("{} of {wanted} tasks completed", ended.successful_tasks);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of tasks")]
        let rate = |time: Duration| (tasks as f64 / time.as_secs_f64()).round();
        Ok(
            json!({"tasks": tasks, "accepted_per_second": rate(submitted), "tasks_per_second": rate(whole)}),
        )
    }

    #[expect(
        clippy::print_stdout,
        reason = "the report is what this program is for"
    )]
    fn report(figures: &Value) {
        let (latency, rate) = (&figures["latency"], &figures["throughput"]);
        println!(
            "store {}, {} slots{}",
            figures["store"],
            figures["slots"],
            debug_note(figures)
        );
        println!(
            "echo, submit to result in one call   {} calls",
            latency["count"]
        );
        println!(
            "  p50 {} ms   p90 {} ms   p99 {} ms   max {} ms",
            latency["p50_ms"], latency["p90_ms"], latency["p99_ms"], latency["max_ms"]
        );
        println!(
            "echo, batches of {BATCH}               {} tasks",
            rate["tasks"]
        );
        println!(
            "  {} accepted/s   {} tasks/s ended",
            rate["accepted_per_second"], rate["tasks_per_second"]
        );
        println!("{figures}");
    }

    fn debug_note(figures: &Value) -> &'static str {
        if figures["debug_build"] == json!(true) {
            "   (a debug build: these figures say nothing)"
        } else {
            ""
        }
    }
}
