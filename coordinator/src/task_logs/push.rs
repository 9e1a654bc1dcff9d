//! Logs as workers send them.

use std::collections::HashMap;
use std::sync::Arc;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::TaskId;
use openclaw_core::effect::Refusal;
use openclaw_proto::v1;

use super::file::Log;
use super::folder::{LogKey, TaskLogs};
use crate::grpc::convert::invalid;
use crate::reply::refusal;

/// Logs that one worker may have in use; the least needed ones are opened again when they come.
const IN_USE: usize = 256;
/// Pieces in one message.
const MAX_CHUNKS: usize = 10_000;

/// One worker's stream of logs.
#[derive(Debug)]
pub struct Pushes {
    logs: TaskLogs,
    in_use: HashMap<LogKey, Arc<Log>>,
}

impl Pushes {
    /// A stream that has sent nothing yet.
    pub fn new(logs: TaskLogs) -> Self {
        Self {
            logs,
            in_use: HashMap::new(),
        }
    }

    /// Keeps what one message carries, and says how far the log has come.
    pub async fn push(
        &mut self,
        request: v1::PushLogsRequest,
    ) -> Result<v1::PushLogsResponse, Refusal> {
        let task: TaskId = request
            .task_id
            .parse()
            .map_err(|error| invalid("task_id", error))?;
        if request.attempt == 0 {
            return Err(invalid("attempt", "attempts are counted from 1"));
        }
        if request.chunks.len() > MAX_CHUNKS {
            return Err(invalid(
                "chunks",
                format!("more than {MAX_CHUNKS} in one message"),
            ));
        }
        let key = LogKey {
            task,
            attempt: request.attempt,
        };
        let log = match self.in_use.get(&key) {
            Some(log) => Arc::clone(log),
            None => self.logs.log(key).await.map_err(|error| broken(&error))?,
        };
        if self.in_use.len() >= IN_USE {
            self.in_use.clear();
        }
        if request.last {
            self.in_use.remove(&key);
        } else {
            self.in_use.insert(key, Arc::clone(&log));
        }
        let (chunks, last) = (request.chunks, request.last);
        let ends = self
            .logs
            .blocking(move || log.append(&chunks, last))
            .await
            .map_err(|error| broken(&error))?;
        Ok(v1::PushLogsResponse {
            lease: request.lease,
            stdout_offset: ends.stdout,
            stderr_offset: ends.stderr,
        })
    }
}

/// The worker keeps what it has and tries again later.
fn broken(error: &std::io::Error) -> Refusal {
    tracing::warn!(%error, "a task's log cannot be written");
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::StoreFull,
        _ => ErrorCode::Unavailable,
    };
    refusal(
        code,
        format!("the coordinator cannot keep the logs of tasks: {error}"),
    )
}
