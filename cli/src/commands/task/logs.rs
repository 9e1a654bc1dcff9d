//! `task logs`: what a task printed, each stream on its own, without loss or repetition over a broken connection.

use openclaw_proto::v1;
use serde_json::{Value, json};
use tonic::{Status, Streaming};

use crate::args::{Format, LogsArgs};
use crate::commands::select;
use crate::commands::session::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Reattach, Stop, Watcher};
use crate::output::Printer;

pub(crate) async fn logs(session: &Session, args: LogsArgs) -> Result<Exit, Failure> {
    let task_id = select::task_id(session, &args.task).await?;
    let stream = match (args.stdout, args.stderr) {
        (true, _) => v1::LogStream::Stdout,
        (_, true) => v1::LogStream::Stderr,
        _ => v1::LogStream::Unspecified,
    };
    let request = v1::GetTaskLogsRequest {
        task_id,
        attempt: args.attempt.unwrap_or_default(),
        stream: stream as i32,
        follow: args.follow,
    };
    let mut sink = Sink::new(&session.printer, request.task_id.clone(), args.follow);
    let mut watcher = Watcher::new(&session.printer, None)?;
    let exit = match copy(session, request, &mut watcher, &mut sink).await {
        Ok(()) => Exit::Ok,
        Err(Stop::Failed(failure)) => return Err(failure),
        Err(Stop::Interrupted | Stop::TimedOut) => Exit::Interrupted,
    };
    sink.finish()?;
    Ok(exit)
}

async fn copy(
    session: &Session,
    request: v1::GetTaskLogsRequest,
    watcher: &mut Watcher,
    sink: &mut Sink,
) -> Result<(), Stop> {
    let mut reattach = Reattach::default();
    loop {
        let broken = match watcher
            .until(session.client.try_get_task_logs(&request))
            .await?
        {
            Ok(mut stream) => match drain(&mut stream, watcher, &mut reattach, sink).await? {
                Some(status) => status,
                None => return Ok(()),
            },
            Err(status) => status,
        };
        reattach
            .pause(watcher, &session.client, broken, &request.task_id)
            .await?;
    }
}

/// Reads one stream; `None` when all has arrived, else what broke it.
async fn drain(
    stream: &mut Streaming<v1::GetTaskLogsResponse>,
    watcher: &mut Watcher,
    reattach: &mut Reattach,
    sink: &mut Sink,
) -> Result<Option<Status>, Stop> {
    loop {
        match watcher.until(stream.message()).await? {
            Ok(Some(message)) => {
                reattach.contact();
                sink.take(&message)?;
                // The last message has no piece.
                if message.chunk.is_none() {
                    return Ok(None);
                }
            }
            Ok(None) => {
                return Ok(Some(Status::unavailable(
                    "the coordinator closed the stream",
                )));
            }
            Err(status) => return Ok(Some(status)),
        }
    }
}

/// How far each stream of an attempt has been printed.
struct Sink {
    printer: Printer,
    task_id: String,
    attempt: u32,
    next: [u64; 2],
    text: [Vec<u8>; 2],
    complete: bool,
    follow: bool,
}

impl Sink {
    fn new(printer: &Printer, task_id: String, follow: bool) -> Self {
        Self {
            printer: printer.clone(),
            task_id,
            attempt: 0,
            next: [0; 2],
            text: [Vec::new(), Vec::new()],
            complete: false,
            follow,
        }
    }

    fn take(&mut self, message: &v1::GetTaskLogsResponse) -> Result<(), Failure> {
        self.complete |= message.complete;
        if message.attempt > self.attempt {
            self.attempt = message.attempt;
            self.next = [0; 2];
            self.text = [Vec::new(), Vec::new()];
        }
        let Some(chunk) = &message.chunk else {
            return Ok(());
        };
        let is_error = chunk.stream() == v1::LogStream::Stderr;
        let Some((dropped, news)) = self.news(usize::from(is_error), chunk) else {
            return Ok(());
        };
        match self.printer.format() {
            Format::Jsonl => self.printer.document(&json!({
                "task_id": self.task_id,
                "attempt": message.attempt,
                "stream": word(is_error),
                "offset": chunk.offset + (chunk.data.len() - news.len()) as u64,
                "data": String::from_utf8_lossy(news),
            })),
            Format::Json => {
                self.text[usize::from(is_error)].extend_from_slice(news);
                Ok(())
            }
            Format::Table | Format::Wide | Format::Name => {
                if dropped > 0 {
                    self.printer.note(&format!(
                        "… {dropped} bytes of {} were not kept …",
                        word(is_error)
                    ));
                }
                if is_error {
                    self.printer.raw_error(news)
                } else {
                    self.printer.raw(news)
                }
            }
        }
    }

    /// The part of a chunk that was not printed yet, and how many bytes before it are missing.
    fn news<'a>(&mut self, index: usize, chunk: &'a v1::LogChunk) -> Option<(u64, &'a [u8])> {
        let end = chunk.offset.saturating_add(chunk.data.len() as u64);
        let known = self.next[index];
        if end <= known {
            return None;
        }
        let skip = usize::try_from(known.saturating_sub(chunk.offset)).unwrap_or(usize::MAX);
        self.next[index] = end;
        chunk
            .data
            .get(skip..)
            .map(|news| (chunk.offset.saturating_sub(known), news))
    }

    fn finish(&self) -> Result<(), Failure> {
        if self.printer.format() != Format::Json {
            if self.attempt == 0 {
                self.printer
                    .note(&format!("{} has not started yet", self.task_id));
            } else if !self.complete && !self.follow {
                self.printer
                    .note("more may come: --follow goes on until the attempt has ended");
            }
            return Ok(());
        }
        let text =
            |index: usize| Value::String(String::from_utf8_lossy(&self.text[index]).into_owned());
        self.printer.document(&json!({
            "task_id": self.task_id,
            "attempt": self.attempt,
            "stdout": text(0),
            "stderr": text(1),
            "complete": self.complete,
        }))
    }
}

const fn word(is_error: bool) -> &'static str {
    if is_error { "stderr" } else { "stdout" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Global;

    fn chunk(offset: u64, data: &'static str) -> v1::LogChunk {
        v1::LogChunk {
            stream: v1::LogStream::Stdout as i32,
            offset,
            data: data.as_bytes().into(),
        }
    }

    #[test]
    fn what_was_printed_before_a_break_is_not_printed_again() {
        let mut sink = Sink::new(
            &Printer::new(&Global::default()),
            "task_1".to_owned(),
            false,
        );
        assert_eq!(
            sink.news(0, &chunk(0, "hello ")),
            Some((0, b"hello ".as_slice()))
        );
        assert_eq!(sink.news(0, &chunk(0, "hello ")), None);
        assert_eq!(
            sink.news(0, &chunk(3, "lo world")),
            Some((0, b"world".as_slice()))
        );
        assert_eq!(
            sink.news(1, &chunk(0, "other stream")),
            Some((0, b"other stream".as_slice()))
        );
        assert_eq!(
            sink.news(0, &chunk(20, "later")),
            Some((9, b"later".as_slice()))
        );
    }
}
