//! `task list`.

use openclaw_proto::v1;

use crate::args::ListArgs;
use crate::commands::session::Session;
use crate::commands::tasks_report::TasksReport;
use crate::dto::to_wire;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) async fn list(session: &Session, args: ListArgs) -> Result<Exit, Failure> {
    let request = v1::ListTasksRequest {
        statuses: args
            .status
            .iter()
            .map(|status| to_wire::task_status(*status) as i32)
            .collect(),
        skill: args.skill.unwrap_or_default(),
        node: args.node.unwrap_or_default(),
        user_id: args.user.unwrap_or_default(),
        batch_id: args.batch.unwrap_or_default(),
        since: args.since.map(prost_types::Timestamp::from),
        ..v1::ListTasksRequest::default()
    };
    let tasks = session.client.all_tasks(request, args.limit).await?;
    let full = args.limit > 0 && tasks.len() == args.limit;
    session.printer.report(&TasksReport {
        tasks,
        empty: "No task matches.",
    })?;
    if full {
        session.printer.note(&format!(
            "there may be more than {}: --limit 0 shows all",
            args.limit
        ));
    }
    Ok(Exit::Ok)
}
