//! Reading what a process prints, from both pipes at once.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};

use super::output::{CHUNK, Output};
use super::tree::Pipes;
use crate::model::Stream;

/// The pipes of one process, each until its end.
#[derive(Debug)]
pub(super) struct Pump {
    stdout: Side<ChildStdout>,
    stderr: Side<ChildStderr>,
}

#[derive(Debug)]
struct Side<R> {
    pipe: Option<R>,
    buffer: Vec<u8>,
}

impl Pump {
    /// A pump on these pipes.
    pub(super) fn new(pipes: Pipes) -> Self {
        Self {
            stdout: Side::new(pipes.stdout),
            stderr: Side::new(pipes.stderr),
        }
    }

    /// Whether somebody may still print something.
    pub(super) fn is_open(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }

    /// Reads once from whichever pipe has something, into `output`. Waits for ever when both have ended. Loses nothing
    /// when dropped half way.
    pub(super) async fn read(&mut self, output: &mut Output) {
        let stream = tokio::select! {
            () = self.stdout.read() => Stream::Stdout,
            () = self.stderr.read() => Stream::Stderr,
        };
        let buffer = match stream {
            Stream::Stdout => &mut self.stdout.buffer,
            Stream::Stderr => &mut self.stderr.buffer,
        };
        if !buffer.is_empty() {
            output.push(stream, buffer, Instant::now());
            buffer.clear();
        }
    }
}

impl<R: AsyncRead + Unpin> Side<R> {
    fn new(pipe: Option<R>) -> Self {
        Self {
            pipe,
            buffer: Vec::new(),
        }
    }

    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return std::future::pending().await;
        };
        self.buffer.reserve_exact(CHUNK);
        // `take` bounds what one read adds to the buffer.
        let read = pipe.take(CHUNK as u64).read_buf(&mut self.buffer).await;
        let at_end = match read {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        if at_end {
            self.pipe = None;
        }
    }
}
