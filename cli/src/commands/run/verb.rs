//! The verb from flags to exit code.

use openclaw_proto::v1;

use super::drive::{Driven, Run};
use crate::args::RunArgs;
use crate::commands::deliver::deliver;
use crate::commands::session::Session;
use crate::commands::task::{goes_on, submit_spec};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::Stop;
use crate::output::{self, Printer};
use crate::spec;

/// Runs one task and waits for it, unless it is to be left alone.
pub(crate) async fn run(session: &Session, args: &RunArgs) -> Result<Exit, Failure> {
    let mut spec = spec::build(&args.spec)?;
    if args.detach {
        return submit_spec(session, spec).await;
    }
    spec::ensure_key(&mut spec)?;
    let mut run = Run::new(session, args.wait, args.fail_if_unplaceable)?;
    let driven = run.drive(v1::RunTaskRequest { task: Some(spec) }).await;
    let known = run.known();
    match driven {
        Ok(Driven::Final(task)) => deliver(&session.printer, &task, &args.take),
        Ok(Driven::DaemonStarted) => {
            daemon_started(&session.printer, known)?;
            Ok(Exit::Ok)
        }
        Err(Stop::TimedOut) => stopped(
            &session.printer,
            known,
            Exit::WaitTimedOut,
            "still goes on after the time to wait",
        ),
        Err(Stop::Interrupted) => stopped(&session.printer, known, Exit::Interrupted, "goes on"),
        Err(Stop::Failed(failure)) => Err(about(failure, known)),
    }
}

fn daemon_started(printer: &Printer, known: Option<&v1::TaskState>) -> Result<(), Failure> {
    let Some(state) = known else { return Ok(()) };
    let id = &state.task_id;
    printer.document(&goes_on(state))?;
    if printer.format() == crate::args::Format::Name {
        printer.raw(format!("{id}\n").as_bytes())?;
    }
    let running = output::word("running");
    printer.note(&format!(
        "{id} {running} on {}; it is kept running until: openclaw-cluster task cancel {id}",
        state.assigned_node
    ));
    Ok(())
}

/// Says what goes on without anybody watching, and how to come back to it.
fn stopped(
    printer: &Printer,
    known: Option<&v1::TaskState>,
    exit: Exit,
    how: &str,
) -> Result<Exit, Failure> {
    let Some(state) = known else {
        let message = "stopped before the coordinator said whether it accepted the task";
        return Err(Failure::new(exit, "OUTCOME_UNKNOWN", message)
            .hint("`openclaw-cluster task list --limit 5` shows whether it is there"));
    };
    let id = &state.task_id;
    printer.document(&goes_on(state))?;
    if printer.format() == crate::args::Format::Name {
        printer.raw(format!("{id}\n").as_bytes())?;
    }
    let status = goes_on(state)
        .get("status")
        .and_then(|word| word.as_str().map(output::word))
        .unwrap_or_default();
    let place = if state.assigned_node.is_empty() {
        String::new()
    } else {
        format!(" on {}", state.assigned_node)
    };
    printer.note(&format!("{id} {how} ({status}{place})"));
    printer.note(&format!(
        "next:  openclaw-cluster task wait {id} · openclaw-cluster task cancel {id}"
    ));
    Ok(exit)
}

/// A failure of watching names the task that goes on.
fn about(failure: Failure, known: Option<&v1::TaskState>) -> Failure {
    let Some(state) = known.filter(|state| !failure.message.contains(&state.task_id)) else {
        return failure;
    };
    let message = format!("{}: {}", state.task_id, failure.message);
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_watching_names_the_task_once() {
        let state = v1::TaskState {
            task_id: "task_1".to_owned(),
            ..v1::TaskState::default()
        };
        let failure = Failure::local("X", "the link broke");
        assert_eq!(
            about(failure.clone(), Some(&state)).message,
            "task_1: the link broke"
        );
        assert_eq!(
            about(Failure::local("X", "task_1 broke"), Some(&state)).message,
            "task_1 broke"
        );
        assert_eq!(about(failure, None).message, "the link broke");
        assert_eq!(
            goes_on(&state),
            serde_json::json!({"task_id": "task_1", "status": "unknown"})
        );
    }
}
