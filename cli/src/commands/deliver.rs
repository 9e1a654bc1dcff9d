//! The end of a task for the one who waited: result, files, cause, exit code.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;
use openclaw_runtime::fsx::{self, Access};
use serde_json::Value;

use crate::args::{Format, TakeArgs};
use crate::dto::{self, TaskDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Printer};

/// Signals end a process as shells report it: 128 and the signal's number.
const SIGNAL_BASE: i32 = 128;

/// Prints a final task, writes its files, and says how the process ends.
pub(super) fn deliver(
    printer: &Printer,
    task: &v1::Task,
    take: &TakeArgs,
) -> Result<Exit, Failure> {
    let mut report = TaskDto::from(task);
    let written = write_outputs(task, &mut report, take);
    if let (Err(failure), true) = (&written, printer.is_json()) {
        // One document: the task, with what went wrong here in place of an error of its own.
        report.error = Some(failure.into());
        printer.document(&output::json_value(&report))?;
        return Ok(failure.exit);
    }
    match printer.format() {
        Format::Json | Format::Jsonl => printer.document(&output::json_value(&report))?,
        Format::Name => printer.raw(format!("{}\n", report.task_id).as_bytes())?,
        Format::Table | Format::Wide => people(printer, task, &report)?,
    }
    written?;
    Ok(exit_of(task, take))
}

/// How the process ends for this task.
pub(super) fn exit_of(task: &v1::Task, take: &TakeArgs) -> Exit {
    let error = task.error.as_ref();
    let exit = Exit::of_task(
        dto::task_status(task.status),
        error.map(|error| error.code.as_str()),
    );
    if exit == Exit::Ok || !take.propagate_exit {
        return exit;
    }
    let own = error.and_then(|error| {
        error
            .exit_code
            .or_else(|| error.signal.map(|signal| SIGNAL_BASE + signal))
    });
    // A failure must not look like success, whatever the low byte says.
    own.map_or(exit, |code| {
        Exit::Skill(
            u8::try_from(code & 0xff)
                .ok()
                .filter(|code| *code != 0)
                .unwrap_or(1),
        )
    })
}

fn people(printer: &Printer, task: &v1::Task, report: &TaskDto) -> Result<(), Failure> {
    if dto::task_status(task.status) != Some(TaskStatus::Completed) {
        for line in failure_lines(task, report) {
            printer.note(&line);
        }
        let id = &report.task_id;
        let node = report
            .assigned_node
            .as_ref()
            .map(|node| format!(" · openclaw-cluster node info {node}"));
        let logs = if report.attempt > 0 {
            format!("openclaw-cluster task logs {id} · ")
        } else {
            String::new()
        };
        printer.note(&format!(
            "more:  {logs}openclaw-cluster task info {id}{}",
            node.unwrap_or_default()
        ));
        return Ok(());
    }
    printer.note(&headline(task, report));
    printer.raw(result_text(report).as_bytes())?;
    if report
        .result
        .get("truncated")
        .is_some_and(|cut| cut == true)
    {
        let id = &report.task_id;
        printer.note(&format!("the output was too long for a result; all that was kept: openclaw-cluster task logs {id}"));
    }
    for file in &report.outputs {
        let place = file.path.as_deref().unwrap_or("not sent along");
        printer.note(&format!("output  {place}  ({})", output::bytes(file.size)));
    }
    Ok(())
}

/// `task_… completed on main-mac in 0.08 s`
pub(super) fn headline(task: &v1::Task, report: &TaskDto) -> String {
    let node = report.assigned_node.as_ref();
    let place = node.map(|node| format!(" on {node}")).unwrap_or_default();
    let took = run_time(task).map(|span| format!(" in {}", output::took(span)));
    let tries = (report.attempt > 1).then(|| format!(" (attempt {})", report.attempt));
    let status = output::word(report.status);
    let [took, tries] = [took, tries].map(Option::unwrap_or_default);
    format!("{} {status}{place}{took}{tries}", report.task_id)
}

/// How long the last attempt ran: as the worker measured it, or else between two moments of the coordinator's clock.
pub(super) fn run_time(task: &v1::Task) -> Option<Duration> {
    dto::to_std(task.run_time).or_else(|| {
        let ended = dto::system_time(task.completed_at)?;
        let began = dto::system_time(task.started_at.or(task.scheduled_at))?;
        ended.duration_since(began).ok()
    })
}

/// What went wrong, and the last lines of standard error.
pub(super) fn failure_lines(task: &v1::Task, report: &TaskDto) -> Vec<String> {
    let cause = match (&report.error, &report.reason) {
        (Some(error), _) => format!("{}: {}", error.code, error.message),
        (None, Some(reason)) => format!("{}: {}", reason.code, reason.detail),
        (None, None) => String::new(),
    };
    let mut lines = vec![headline(task, report)];
    if !cause.is_empty() {
        lines.push(format!("  {cause}"));
    }
    let tail = report
        .error
        .as_ref()
        .map(|error| error.stderr_tail.trim_end())
        .unwrap_or_default();
    if !tail.is_empty() {
        lines.push("  last lines of standard error:".to_owned());
        lines.extend(tail.lines().map(|line| format!("  | {line}")));
    }
    lines
}

/// The result as JSON; what a command printed as it printed it.
fn result_text(report: &TaskDto) -> String {
    let printed = printed_by_command(report).filter(|_| !report.command.is_empty());
    match (printed, &report.result) {
        (Some(text), _) => text.to_owned(),
        (None, Value::Null) => String::new(),
        (None, result) => format!("{result:#}\n"),
    }
}

/// The text in a result that holds nothing but what a program printed.
fn printed_by_command(report: &TaskDto) -> Option<&str> {
    let object = report.result.as_object()?;
    let plain = |key: &String| matches!(key.as_str(), "stdout" | "truncated" | "stdout_bytes");
    object
        .keys()
        .all(plain)
        .then(|| object.get("stdout")?.as_str())
        .flatten()
}

/// Writes the files that came along; every one that can be, before the first failure is told.
fn write_outputs(task: &v1::Task, report: &mut TaskDto, take: &TakeArgs) -> Result<(), Failure> {
    let dir = take
        .output_dir
        .clone()
        .unwrap_or_else(|| Path::new("outputs").join(&report.task_id));
    let mut failures = Vec::new();
    for (file, shown) in task.outputs.iter().zip(&mut report.outputs) {
        let Some(v1::output_file::Content::Inline(content)) = &file.content else {
            continue;
        };
        match write_output(&dir, &file.name, content) {
            Ok(path) => shown.path = Some(path.display().to_string()),
            Err(why) => failures.push(format!("`{}`: {why}", file.name)),
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::local(
        "OUTPUT",
        format!(
            "{}: cannot write output {}",
            report.task_id,
            failures.join("; ")
        ),
    )
    .hint(format!(
        "fetch them into another folder: openclaw-cluster task wait {} --output-dir DIR",
        report.task_id
    )))
}

fn write_output(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, String> {
    let path = dir.join(safe(name)?);
    let parent = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    fsx::write_atomic(&path, content, Access::Shared)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// A name below the output folder, as the node gave it, that stays below it on every system.
fn safe(name: &str) -> Result<PathBuf, &'static str> {
    if name.is_empty() || name.contains(['\\', ':', '\0']) || name.chars().any(char::is_control) {
        return Err("its name has characters that a file here may not have");
    }
    let path = Path::new(name);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain
        || name.ends_with('/')
        || name
            .split('/')
            .any(|part| part.is_empty() || part == "." || is_device(part))
    {
        return Err("its name leads out of the output folder");
    }
    Ok(path.to_path_buf())
}

/// Names that Windows reads as devices in every folder.
fn is_device(part: &str) -> bool {
    let stem = part
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest: &str| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    cfg!(windows)
        && (matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
            || numbered("COM")
            || numbered("LPT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        for good in ["a.txt", "sub/dir/b.png", ".hidden", "ü.txt", "a..b"] {
            assert_eq!(safe(good), Ok(PathBuf::from(good)));
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a/",
            "C:\\x",
            "a\\b",
            "C:x",
            "a\nb",
            ".",
        ] {
            assert!(safe(bad).is_err(), "{bad:?}");
        }
    }

    fn failed(exit_code: Option<i32>, signal: Option<i32>) -> v1::Task {
        v1::Task {
            status: v1::TaskStatus::Failed as i32,
            error: Some(v1::TaskError {
                code: "EXIT".to_owned(),
                exit_code,
                signal,
                ..v1::TaskError::default()
            }),
            ..v1::Task::default()
        }
    }

    #[test]
    fn the_skills_own_code_is_passed_on_when_asked_for() {
        let plain = TakeArgs {
            output_dir: None,
            propagate_exit: false,
        };
        let own = TakeArgs {
            propagate_exit: true,
            ..plain.clone()
        };
        assert_eq!(exit_of(&failed(Some(42), None), &plain), Exit::Failed);
        assert_eq!(exit_of(&failed(Some(42), None), &own), Exit::Skill(42));
        assert_eq!(exit_of(&failed(None, Some(9)), &own), Exit::Skill(137));
        assert_eq!(exit_of(&failed(Some(256), None), &own), Exit::Skill(1));
        assert_eq!(exit_of(&failed(None, None), &own), Exit::Failed);
    }
}
