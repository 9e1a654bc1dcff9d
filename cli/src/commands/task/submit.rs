//! `task submit`, and `run --detach`.

use openclaw_proto::v1;
use serde_json::{Value, json};

use crate::args::SpecArgs;
use crate::client::{empty_answer, is_broken};
use crate::commands::session::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Look, Report};
use crate::{dto, spec};

pub(crate) async fn submit(session: &Session, args: &SpecArgs) -> Result<Exit, Failure> {
    submit_spec(session, spec::build(args)?).await
}

/// Submits one task and prints its id.
pub(crate) async fn submit_spec(
    session: &Session,
    mut spec: v1::TaskSpec,
) -> Result<Exit, Failure> {
    spec::ensure_key(&mut spec)?;
    let request = v1::SubmitTasksRequest {
        tasks: vec![spec],
        idempotency_key: String::new(),
    };
    let mut answer = session.client.try_submit_tasks(&request).await;
    if answer.as_ref().is_err_and(is_broken) {
        // The connection, or the store, broke in the middle. The key makes sending it again harmless.
        answer = session.client.try_submit_tasks(&request).await;
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(status) => return Err(session.client.explain(status).await),
    };
    let accepted = answer
        .tasks
        .into_iter()
        .next()
        .ok_or_else(|| empty_answer("the submitted task"))?;
    session.last.remember(&accepted.task_id);
    if accepted.existing {
        session
            .printer
            .note("this key names a task that was submitted before; nothing new was made");
    }
    session.printer.report(&Accepted { accepted })?;
    Ok(Exit::Ok)
}

struct Accepted {
    accepted: v1::AcceptedTask,
}

impl Report for Accepted {
    fn json(&self) -> Value {
        let status =
            dto::task_status(self.accepted.status).map_or("unknown", |status| status.as_str());
        json!({"task_id": self.accepted.task_id, "status": status, "existing": self.accepted.existing})
    }

    fn ids(&self) -> Vec<String> {
        vec![self.accepted.task_id.clone()]
    }

    fn text(&self, _look: Look) -> String {
        format!("{}\n", self.accepted.task_id)
    }
}
