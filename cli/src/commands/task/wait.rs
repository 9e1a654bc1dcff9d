//! `task wait`: watches until tasks are final, then prints as `run` does.

use std::collections::BTreeMap;

use openclaw_proto::v1;
use serde_json::{Value, json};

use crate::args::{TakeArgs, WaitArgs};
use crate::commands::deliver::{deliver, exit_of, headline};
use crate::commands::select;
use crate::commands::session::Session;
use crate::commands::tasks_report::TasksReport;
use crate::dto::{self, TaskDto};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Reattach, Stop, Watcher, follow};

pub(crate) async fn wait(session: &Session, args: WaitArgs) -> Result<Exit, Failure> {
    let ids = select::task_ids(session, &args.tasks).await?;
    let mut watcher = Watcher::new(&session.printer, args.wait)?;
    let mut reattach = Reattach::default();
    let mut states: BTreeMap<String, i32> = BTreeMap::new();
    let followed = follow(
        &session.client,
        &mut watcher,
        &mut reattach,
        ids.clone(),
        |state| {
            states.insert(state.task_id.clone(), state.status);
        },
    );
    match followed.await {
        Ok(()) => finish(session, &ids, &args.take).await,
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::TimedOut) => unfinished(session, &ids, &states, Exit::WaitTimedOut),
        Err(Stop::Interrupted) => unfinished(session, &ids, &states, Exit::Interrupted),
    }
}

async fn finish(session: &Session, ids: &[String], take: &TakeArgs) -> Result<Exit, Failure> {
    let mut tasks = Vec::new();
    for id in ids {
        tasks.push(session.client.task(id, true).await?);
    }
    if let [task] = tasks.as_slice() {
        return deliver(&session.printer, task, take);
    }
    for task in &tasks {
        session.printer.note(&headline(task, &TaskDto::from(task)));
    }
    let exit = Exit::combined(tasks.iter().map(|task| exit_of(task, take)));
    session.printer.report(&TasksReport { tasks, empty: "" })?;
    Ok(exit)
}

/// Says what goes on and how to come back to it.
fn unfinished(
    session: &Session,
    ids: &[String],
    states: &BTreeMap<String, i32>,
    exit: Exit,
) -> Result<Exit, Failure> {
    let word = |id: &String| {
        states
            .get(id)
            .and_then(|status| dto::task_status(*status))
            .map_or("unknown", |s| s.as_str())
    };
    let lines: Vec<Value> = ids
        .iter()
        .map(|id| json!({"task_id": id, "status": word(id)}))
        .collect();
    match lines.as_slice() {
        [one] => session.printer.document(one)?,
        many => session.printer.document(&Value::Array(many.to_vec()))?,
    }
    for id in ids {
        session
            .printer
            .note(&format!("{id} goes on ({})", word(id)));
    }
    session.printer.note(&format!(
        "next:  openclaw-cluster task wait {}",
        ids.join(" ")
    ));
    Ok(exit)
}

/// A short form for the state of one task that goes on.
pub(crate) fn goes_on(state: &v1::TaskState) -> Value {
    let status = dto::task_status(state.status).map_or("unknown", |status| status.as_str());
    json!({"task_id": state.task_id, "status": status})
}
