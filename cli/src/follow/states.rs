//! Following tasks by id until all are final.

use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;
use tonic::{Status, Streaming};

use super::reattach::Reattach;
use super::watcher::{Stop, Watcher};
use crate::client::Client;
use crate::dto;

/// Follows `ids` until all are final; `on` sees the present state of each and every change. With one id the
/// watcher's notes tell about it.
pub(crate) async fn follow(
    client: &Client,
    watcher: &mut Watcher,
    reattach: &mut Reattach,
    mut ids: Vec<String>,
    mut on: impl FnMut(&v1::TaskState),
) -> Result<(), Stop> {
    let alone = ids.len() == 1;
    let what = if alone {
        ids.concat()
    } else {
        format!("the work of {} tasks", ids.len())
    };
    let mut see = |watcher: &mut Watcher, state: &v1::TaskState| {
        if alone {
            watcher.state(state);
        }
        on(state);
    };
    while !ids.is_empty() {
        let request = v1::WatchTasksRequest {
            task_ids: ids.clone(),
        };
        let broken = match watcher.until(client.try_watch_tasks(&request)).await? {
            Ok(mut stream) => {
                let mut seen = |watcher: &mut Watcher, state: &v1::TaskState| {
                    see(watcher, state);
                    if dto::task_status(state.status).is_some_and(TaskStatus::is_final) {
                        ids.retain(|id| *id != state.task_id);
                    }
                };
                drain(&mut stream, watcher, reattach, &mut seen).await?
            }
            Err(status) => status,
        };
        if !ids.is_empty() {
            reattach.pause(watcher, client, broken, &what).await?;
        }
    }
    Ok(())
}

/// Reads a stream to its end, which comes when all tasks are final or the connection broke.
async fn drain(
    stream: &mut Streaming<v1::WatchTasksResponse>,
    watcher: &mut Watcher,
    reattach: &mut Reattach,
    seen: &mut impl FnMut(&mut Watcher, &v1::TaskState),
) -> Result<Status, Stop> {
    loop {
        match watcher.until(stream.message()).await? {
            Ok(Some(message)) => {
                reattach.contact();
                if let Some(state) = message.state {
                    seen(watcher, &state);
                }
            }
            Ok(None) => return Ok(Status::unavailable("the coordinator closed the stream")),
            Err(status) => return Ok(status),
        }
    }
}
