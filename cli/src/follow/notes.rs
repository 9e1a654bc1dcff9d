//! Lines on standard error about the one task that is watched: why it waits, where it runs.

use std::time::Duration;

use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;
use tokio::time::Instant;

use crate::dto;
use crate::output::Printer;

/// What passes sooner than this was not worth a line.
const WAITING_DELAY: Duration = Duration::from_millis(300);
const RUNNING_DELAY: Duration = Duration::from_secs(2);

/// The lines that were printed and the one that is due.
#[derive(Debug)]
pub(super) struct Notes {
    printer: Printer,
    shown: String,
    due: Option<(Instant, String)>,
    hinted: bool,
}

impl Notes {
    pub(super) const fn new(printer: Printer) -> Self {
        Self {
            printer,
            shown: String::new(),
            due: None,
            hinted: false,
        }
    }

    /// When the next line is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.as_ref().map(|(at, _)| *at)
    }

    /// Prints the line that is due.
    pub(super) fn show(&mut self) {
        let Some((_, line)) = self.due.take() else {
            return;
        };
        self.printer.note(&line);
        self.shown = line;
    }

    /// Prints a line at once.
    pub(super) fn say(&self, line: &str) {
        self.printer.note(line);
    }

    /// Takes in a new state; its line is due a little later, unless another state comes first.
    pub(super) fn state(&mut self, state: &v1::TaskState) {
        self.due = None;
        let Some((line, delay)) = line_of(state) else {
            return;
        };
        if line == self.shown {
            return;
        }
        let line = if self.hinted || !line.starts_with("waiting") {
            line
        } else {
            self.hinted = true;
            format!(
                "{line}  (Ctrl-C stops watching; the task stays queued as {})",
                state.task_id
            )
        };
        self.due = Some((Instant::now() + delay, line));
    }
}

/// The line for a state, and how long the state must last to be worth it.
fn line_of(state: &v1::TaskState) -> Option<(String, Duration)> {
    let (code, detail) = state.reason.as_ref().map_or(("", ""), |reason| {
        (reason.code.as_str(), reason.detail.as_str())
    });
    let why = if detail.is_empty() { code } else { detail };
    let code = ReasonCode::parse(code);
    match (dto::task_status(state.status)?, code) {
        (_, Some(ReasonCode::Cancelling)) => Some((format!("cancelling: {why}"), WAITING_DELAY)),
        (TaskStatus::Pending, Some(ReasonCode::Backoff)) => {
            Some((format!("retrying: {why}"), WAITING_DELAY))
        }
        (TaskStatus::Pending, _) if !why.is_empty() => {
            Some((format!("waiting: {why}"), WAITING_DELAY))
        }
        (TaskStatus::Running, _) => {
            Some((format!("running on {}", state.assigned_node), RUNNING_DELAY))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: v1::TaskStatus, code: &str, detail: &str) -> v1::TaskState {
        v1::TaskState {
            task_id: "task_1".to_owned(),
            status: status as i32,
            reason: Some(v1::Reason {
                code: code.to_owned(),
                detail: detail.to_owned(),
            }),
            attempt: 1,
            assigned_node: "mac".to_owned(),
        }
    }

    #[test]
    fn each_state_has_its_line() {
        use v1::TaskStatus::{Completed, Pending, Running, Scheduled};
        let line =
            |status, code, detail| line_of(&state(status, code, detail)).map(|(line, _)| line);
        assert_eq!(
            line(Pending, "NO_NODE_WITH_SKILL", "no online node has skill x").unwrap(),
            "waiting: no online node has skill x"
        );
        assert_eq!(
            line(Pending, "NODE_BUSY", "").unwrap(),
            "waiting: NODE_BUSY"
        );
        assert_eq!(
            line(Pending, "BACKOFF", "attempt 1 exited with 1").unwrap(),
            "retrying: attempt 1 exited with 1"
        );
        assert_eq!(line(Running, "RUNNING", "").unwrap(), "running on mac");
        assert_eq!(
            line(Running, "CANCELLING", "asked by ada").unwrap(),
            "cancelling: asked by ada"
        );
        assert_eq!(line(Scheduled, "OFFERED", "x"), None);
        assert_eq!(line(Completed, "OK", ""), None);
    }
}
