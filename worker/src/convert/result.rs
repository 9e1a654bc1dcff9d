//! Results, on the wire and in the spool.

use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::Outcome;
use openclaw_proto::v1;

use super::incoming::{Malformed, lease};
use crate::model::{Ended, Failure, LogChunk, OutputFile, Stream};
use crate::state::Finished;

pub(crate) fn wire_lease(lease: LeaseId) -> v1::Lease {
    v1::Lease {
        epoch: lease.epoch,
        counter: lease.counter,
    }
}

impl From<&Finished> for v1::TaskResult {
    fn from(finished: &Finished) -> Self {
        let ended = &finished.ended;
        Self {
            lease: Some(wire_lease(finished.lease)),
            task_id: finished.task_id.to_string(),
            outcome: wire_outcome(ended.outcome).into(),
            result: ended.result.clone(),
            outputs: ended.outputs.iter().map(wire_output).collect(),
            error: ended.failure.as_ref().map(wire_failure),
            queued_ms: finished.queued_ms,
            run_ms: ended.run_ms,
            output: ended.output.iter().map(wire_chunk).collect(),
            stdout_bytes: ended.stdout_bytes,
            stderr_bytes: ended.stderr_bytes,
        }
    }
}

impl TryFrom<v1::TaskResult> for Finished {
    type Error = Malformed;

    fn try_from(wire: v1::TaskResult) -> Result<Self, Malformed> {
        let wrong = |what: String| Malformed::of("result", what);
        let outcome = known_outcome(wire.outcome())
            .ok_or_else(|| wrong(format!("outcome {} is unknown", wire.outcome)))?;
        let lease = lease(wire.lease).ok_or_else(|| wrong("it names no lease".to_owned()))?;
        let task_id: TaskId = wire
            .task_id
            .parse()
            .map_err(|error| wrong(format!("task_id: {error}")))?;
        let ended = Ended {
            outcome,
            result: wire.result,
            outputs: wire.outputs.into_iter().filter_map(known_output).collect(),
            failure: wire.error.map(known_failure),
            run_ms: wire.run_ms,
            output: wire.output.into_iter().filter_map(known_chunk).collect(),
            stdout_bytes: wire.stdout_bytes,
            stderr_bytes: wire.stderr_bytes,
        };
        Ok(Self {
            lease,
            task_id,
            queued_ms: wire.queued_ms,
            ended,
        })
    }
}

/// A piece of output on the wire.
pub(crate) fn wire_chunk(chunk: &LogChunk) -> v1::LogChunk {
    let stream = match chunk.stream {
        Stream::Stdout => v1::LogStream::Stdout,
        Stream::Stderr => v1::LogStream::Stderr,
    };
    v1::LogChunk {
        stream: stream.into(),
        offset: chunk.offset,
        data: chunk.data.clone(),
    }
}

fn known_chunk(wire: v1::LogChunk) -> Option<LogChunk> {
    let stream = match wire.stream() {
        v1::LogStream::Unspecified => return None,
        v1::LogStream::Stdout => Stream::Stdout,
        v1::LogStream::Stderr => Stream::Stderr,
    };
    Some(LogChunk {
        stream,
        offset: wire.offset,
        data: wire.data,
    })
}

fn wire_output(file: &OutputFile) -> v1::OutputFile {
    v1::OutputFile {
        name: file.name.clone(),
        size: u64::try_from(file.content.len()).unwrap_or(u64::MAX),
        content: Some(v1::output_file::Content::Inline(file.content.clone())),
    }
}

fn known_output(wire: v1::OutputFile) -> Option<OutputFile> {
    let v1::output_file::Content::Inline(content) = wire.content?;
    Some(OutputFile {
        name: wire.name,
        content,
    })
}

fn wire_failure(failure: &Failure) -> v1::TaskError {
    v1::TaskError {
        code: failure.code.as_str().to_owned(),
        message: failure.message.clone(),
        exit_code: failure.exit_code,
        signal: failure.signal,
        stderr_tail: failure.stderr_tail.clone(),
    }
}

fn known_failure(wire: v1::TaskError) -> Failure {
    Failure {
        code: ReasonCode::parse(&wire.code).unwrap_or(ReasonCode::Exit),
        message: wire.message,
        exit_code: wire.exit_code,
        signal: wire.signal,
        stderr_tail: wire.stderr_tail,
    }
}

fn wire_outcome(outcome: Outcome) -> v1::Outcome {
    match outcome {
        Outcome::Succeeded => v1::Outcome::Succeeded,
        Outcome::Exit => v1::Outcome::Exit,
        Outcome::Signal => v1::Outcome::Signal,
        Outcome::Timeout => v1::Outcome::Timeout,
        Outcome::ProgressTimeout => v1::Outcome::ProgressTimeout,
        Outcome::BadOutput => v1::Outcome::BadOutput,
        Outcome::Killed => v1::Outcome::Killed,
        Outcome::SpawnFailed => v1::Outcome::SpawnFailed,
        Outcome::HandedBack => v1::Outcome::HandedBack,
        Outcome::WorkerDied => v1::Outcome::WorkerDied,
    }
}

fn known_outcome(wire: v1::Outcome) -> Option<Outcome> {
    Some(match wire {
        v1::Outcome::Unspecified => return None,
        v1::Outcome::Succeeded => Outcome::Succeeded,
        v1::Outcome::Exit => Outcome::Exit,
        v1::Outcome::Signal => Outcome::Signal,
        v1::Outcome::Timeout => Outcome::Timeout,
        v1::Outcome::ProgressTimeout => Outcome::ProgressTimeout,
        v1::Outcome::BadOutput => Outcome::BadOutput,
        v1::Outcome::Killed => Outcome::Killed,
        v1::Outcome::SpawnFailed => Outcome::SpawnFailed,
        v1::Outcome::HandedBack => Outcome::HandedBack,
        v1::Outcome::WorkerDied => Outcome::WorkerDied,
    })
}
