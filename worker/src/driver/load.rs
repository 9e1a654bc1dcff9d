//! How busy the machine is, sampled beside the driver.

use std::path::PathBuf;
use std::time::Duration;

use openclaw_proto::v1;
use openclaw_runtime::identity::Sampler;
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::watch;

/// The first sample comes early, for a node that has just appeared; a sample of the processors needs some time.
const FIRST_AFTER: Duration = Duration::from_millis(500);

/// Samples the machine every `interval` on a thread for blocking work. `path` is on the disk whose use is told.
pub fn follow_load(
    tasks: &TaskGroup,
    path: PathBuf,
    interval: Duration,
) -> watch::Receiver<v1::NodeLoad> {
    let (sender, receiver) = watch::channel(v1::NodeLoad::default());
    let group = tasks.clone();
    tasks.spawn("machine load", async move {
        let Ok(mut sampler) = group
            .spawn_blocking("machine load", move || Sampler::new(&path))
            .await
        else {
            return;
        };
        let mut wait = FIRST_AFTER.min(interval);
        loop {
            tokio::select! {
                () = group.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = interval;
            let sample = move || {
                let usage = sampler.sample();
                (sampler, usage)
            };
            let Ok((back, usage)) = group.spawn_blocking("machine load", sample).await else {
                return;
            };
            sampler = back;
            let load = v1::NodeLoad {
                cpu_usage: usage.cpu_percent,
                memory_usage: usage.memory_percent,
                disk_usage: usage.disk_percent,
            };
            if sender.send(load).is_err() {
                return;
            }
        }
    });
    receiver
}
