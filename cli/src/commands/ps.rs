//! `ps`: what is waiting, running and just ended.

use std::time::SystemTime;

use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;

use super::session::Session;
use super::tasks_report::TasksReport;
use crate::args::PsArgs;
use crate::dto::to_wire;
use crate::exit::Exit;
use crate::failure::Failure;

/// Most tasks shown that wait or run.
const ALIVE: usize = 200;
/// Most tasks shown that have ended.
const RECENT: usize = 20;

pub(super) async fn ps(session: &Session, args: &PsArgs) -> Result<Exit, Failure> {
    let since = SystemTime::now().checked_sub(args.recent);
    let mut tasks = session.client.all_tasks(request(false), ALIVE).await?;
    let full = tasks.len() == ALIVE;
    let mut ended = session.client.all_tasks(request(true), RECENT).await?;
    // By its end, not by its submit: what just ended may have been submitted yesterday.
    ended.retain(|task| crate::dto::system_time(task.completed_at) >= since);
    tasks.append(&mut ended);
    session.printer.report(&TasksReport {
        tasks,
        empty: "Nothing waits or runs. Start something: openclaw-cluster run --help",
    })?;
    if full {
        let more = "openclaw-cluster task list --status pending,scheduled,running --limit 0";
        session.printer.note(&format!(
            "there may be more than {ALIVE} that wait or run: {more}"
        ));
    }
    Ok(Exit::Ok)
}

fn request(ended: bool) -> v1::ListTasksRequest {
    let states = TaskStatus::ALL
        .iter()
        .filter(|status| status.is_final() == ended);
    v1::ListTasksRequest {
        statuses: states
            .map(|status| to_wire::task_status(*status) as i32)
            .collect(),
        ..v1::ListTasksRequest::default()
    }
}
