//! Reading a task's log, to its end or as it grows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::effect::Refusal;
use openclaw_proto::v1;
use prost::Message as _;
use tokio::time::timeout;

use super::file::{Ends, Log};
use super::folder::{LogKey, TaskLogs};
use crate::events::{Followed, Following};
use crate::handle::Handle;
use crate::reply::refusal;
use crate::task_record::{Standing, TaskRecord};

/// Bytes read at once.
const READ: usize = 256 * 1024;
/// How long the rest of an ended attempt's output is waited for.
const REST: Duration = Duration::from_secs(10);

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery {
    /// The task.
    pub task: TaskId,
    /// Which attempt; 0 is the latest.
    pub attempt: u32,
    /// Which stream; `Unspecified`: both.
    pub stream: v1::LogStream,
    /// Go on until the attempt has ended.
    pub follow: bool,
}

/// The pieces in order, then one message without a piece that says whether that was all.
pub type LogStream = BoxStream<'static, Result<v1::GetTaskLogsResponse, Refusal>>;

/// Streams a log. Fails at once for an unknown task or attempt.
pub async fn stream(handle: Handle, logs: TaskLogs, query: LogQuery) -> Result<LogStream, Refusal> {
    let following = handle.follow(vec![query.task]);
    let record = handle.task(query.task).await?;
    if query.attempt > record.attempt() {
        return Err(refusal(
            openclaw_common::code::ErrorCode::NotFound,
            format!(
                "task {} has had {} attempts, there is no attempt {}",
                query.task,
                record.attempt(),
                query.attempt
            ),
        ));
    }
    let reader = Reader {
        handle,
        logs,
        query,
        following,
        record,
        log: None,
        place: 0,
        sent: Ends::default(),
        ready: Vec::new(),
        done: false,
    };
    let pieces = stream::try_unfold(reader, |mut reader| async move {
        Ok(reader.next().await?.map(|piece| (piece, reader)))
    });
    Ok(pieces.boxed())
}

struct Reader {
    handle: Handle,
    logs: TaskLogs,
    query: LogQuery,
    following: Following,
    record: TaskRecord,
    log: Option<(u32, Arc<Log>)>,
    /// Where in the file to go on.
    place: u64,
    /// How far each stream has been sent.
    sent: Ends,
    /// To be sent, last one first.
    ready: Vec<v1::LogChunk>,
    done: bool,
}

/// What the attempt's end said about its output.
struct Told {
    output: Vec<v1::LogChunk>,
    stdout_bytes: u64,
    stderr_bytes: u64,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<v1::GetTaskLogsResponse>, Refusal> {
        loop {
            while let Some(chunk) = self.ready.pop() {
                if let Some(piece) = self.piece(chunk) {
                    return Ok(Some(piece));
                }
            }
            if self.done {
                return Ok(None);
            }
            self.fetch().await?;
            if !self.ready.is_empty() {
                continue;
            }
            let complete = self.is_complete();
            let ended = self.has_ended();
            if complete || !self.query.follow || (ended && !self.rest_comes().await?) {
                self.done = true;
                return Ok(Some(self.last_message(complete)));
            }
            if !ended {
                self.wait().await?;
            }
        }
    }

    fn attempt(&self) -> u32 {
        if self.query.attempt == 0 {
            self.record.attempt()
        } else {
            self.query.attempt
        }
    }

    /// Reads more pieces: from the file, then from the result.
    async fn fetch(&mut self) -> Result<(), Refusal> {
        let attempt = self.attempt();
        if attempt == 0 {
            return Ok(());
        }
        let log = self.log_of(attempt).await?;
        let place = self.place;
        let read = self.logs.blocking(move || log.read(place, READ)).await;
        let (mut chunks, place) = read.map_err(|error| unreadable(&error))?;
        self.place = place;
        if chunks.is_empty()
            && let Some(told) = self.told()
        {
            chunks = told.output;
            chunks.retain(|chunk| self.is_fresh(chunk));
        }
        chunks.reverse();
        self.ready = chunks;
        Ok(())
    }

    async fn log_of(&mut self, attempt: u32) -> Result<Arc<Log>, Refusal> {
        if let Some((number, log)) = &self.log
            && *number == attempt
        {
            return Ok(Arc::clone(log));
        }
        let key = LogKey {
            task: self.query.task,
            attempt,
        };
        let log = self
            .logs
            .log(key)
            .await
            .map_err(|error| unreadable(&error))?;
        self.log = Some((attempt, Arc::clone(&log)));
        self.place = 0;
        self.sent = Ends::default();
        Ok(log)
    }

    /// A piece as it is sent: only of the streams asked for, and nothing twice.
    fn piece(&mut self, mut chunk: v1::LogChunk) -> Option<v1::GetTaskLogsResponse> {
        let stream = v1::LogStream::try_from(chunk.stream).ok()?;
        let sent = match stream {
            v1::LogStream::Stderr => &mut self.sent.stderr,
            _ => &mut self.sent.stdout,
        };
        let skip = usize::try_from(sent.saturating_sub(chunk.offset)).unwrap_or(usize::MAX);
        if skip >= chunk.data.len() {
            return None;
        }
        chunk.data = chunk.data.slice(skip..);
        chunk.offset += u64::try_from(skip).unwrap_or_default();
        *sent = chunk
            .offset
            .saturating_add(u64::try_from(chunk.data.len()).unwrap_or(u64::MAX));
        let wanted = self.query.stream;
        (wanted == v1::LogStream::Unspecified || wanted == stream).then(|| {
            v1::GetTaskLogsResponse {
                attempt: self.attempt(),
                chunk: Some(chunk),
                complete: false,
            }
        })
    }

    fn is_fresh(&self, chunk: &v1::LogChunk) -> bool {
        let sent = match v1::LogStream::try_from(chunk.stream) {
            Ok(v1::LogStream::Stderr) => self.sent.stderr,
            _ => self.sent.stdout,
        };
        let end = chunk
            .offset
            .saturating_add(u64::try_from(chunk.data.len()).unwrap_or(u64::MAX));
        end > sent
    }

    /// What the result says, when it is that of the attempt that is read.
    fn told(&self) -> Option<Told> {
        let Standing::Final(end) = &self.record.standing else {
            return None;
        };
        let last = end.attempts.last()?;
        if last.number != self.attempt() || end.payload.is_empty() {
            return None;
        }
        let result = v1::TaskResult::decode(end.payload.clone()).ok()?;
        Some(Told {
            output: result.output,
            stdout_bytes: result.stdout_bytes,
            stderr_bytes: result.stderr_bytes,
        })
    }

    fn is_complete(&self) -> bool {
        if let Some(told) = self.told() {
            return self.sent.stdout >= told.stdout_bytes && self.sent.stderr >= told.stderr_bytes;
        }
        let ends = self
            .log
            .as_ref()
            .map(|(_, log)| log.ends())
            .unwrap_or_default();
        // An attempt that never ran has nothing to wait for.
        ends.last || (self.record.is_final() && self.attempt() == 0)
    }

    /// The attempt that is read prints nothing more.
    fn has_ended(&self) -> bool {
        match &self.record.standing {
            Standing::Final(_) => true,
            Standing::Live(live) => {
                self.attempt() < live.state.attempt || self.is_past(live.state.status)
            }
        }
    }

    /// The latest attempt is over and the task waits for its next one; following "the latest" then goes on.
    fn is_past(&self, status: TaskStatus) -> bool {
        self.query.attempt != 0 && status == TaskStatus::Pending
    }

    /// Waits for the rest of an attempt that has ended. `false`: it did not come.
    async fn rest_comes(&self) -> Result<bool, Refusal> {
        let Some((_, log)) = &self.log else {
            return Ok(false);
        };
        let mut changes = log.changes();
        if log.ends() != self.sent && self.has_more().await? {
            return Ok(true);
        }
        Ok(timeout(REST, changes.changed()).await.is_ok())
    }

    async fn has_more(&self) -> Result<bool, Refusal> {
        let Some((_, log)) = &self.log else {
            return Ok(false);
        };
        let (log, place) = (Arc::clone(log), self.place);
        let read = self.logs.blocking(move || log.read(place, 1)).await;
        Ok(read.map_err(|error| unreadable(&error))?.1 > place)
    }

    /// Waits until the log has grown or the task has changed, then reads the task anew.
    async fn wait(&mut self) -> Result<(), Refusal> {
        let mut grown = self.log.as_ref().map(|(_, log)| log.changes());
        if self.log.is_some() && self.has_more().await? {
            return Ok(());
        }
        let more = async {
            match grown.as_mut() {
                Some(grown) => drop(grown.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = more => return Ok(()),
            followed = self.following.next() => {
                if matches!(followed, Followed::Over) {
                    self.following = self.handle.follow(vec![self.query.task]);
                }
            }
        }
        self.record = self.handle.task(self.query.task).await?;
        Ok(())
    }

    fn last_message(&self, complete: bool) -> v1::GetTaskLogsResponse {
        v1::GetTaskLogsResponse {
            attempt: self.attempt(),
            chunk: None,
            complete,
        }
    }
}

fn unreadable(error: &std::io::Error) -> Refusal {
    tracing::warn!(%error, "a task's log cannot be read");
    refusal(
        openclaw_common::code::ErrorCode::Unavailable,
        format!("the log cannot be read: {error}"),
    )
}
