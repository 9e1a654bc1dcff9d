//! From what people write to the id of a task: the whole id, its beginning, or `last`.

use openclaw_common::id::TaskId;
use openclaw_proto::v1;

use super::session::Session;
use crate::dto::{self, TaskDto};
use crate::failure::Failure;
use crate::output;

/// Most candidates that an error lists.
const SHOWN: u32 = 10;

/// The full id that `text` means.
pub(super) async fn task_id(session: &Session, text: &str) -> Result<String, Failure> {
    if text.eq_ignore_ascii_case("last") {
        return session.last.recall();
    }
    let wanted = normalised(text)?;
    if wanted.parse::<TaskId>().is_ok() {
        return Ok(wanted);
    }
    let request = v1::ListTasksRequest {
        id_prefix: wanted,
        limit: SHOWN + 1,
        ..v1::ListTasksRequest::default()
    };
    let found = session.client.list_tasks(request).await?.tasks;
    match found.as_slice() {
        [] => Err(
            Failure::not_found(format!("no task's id begins with `{text}`"))
                .hint("`openclaw-cluster task list` shows the ids"),
        ),
        [one] => Ok(one
            .spec
            .as_ref()
            .map(|spec| spec.task_id.clone())
            .unwrap_or_default()),
        many => Err(ambiguous(text, many)),
    }
}

/// The full ids that some texts mean, each once.
pub(super) async fn task_ids(session: &Session, texts: &[String]) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for text in texts {
        let id = task_id(session, text).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Ids are upper case after `task_`; people need not care.
fn normalised(text: &str) -> Result<String, Failure> {
    let lower = text.trim().to_ascii_lowercase();
    let body = lower.strip_prefix(TaskId::PREFIX).unwrap_or(&lower);
    // An id has no i, l, o, u: Crockford's base 32.
    let in_id = |byte: u8| byte.is_ascii_alphanumeric() && !b"ilou".contains(&byte);
    if body.is_empty() || !body.bytes().all(in_id) {
        return Err(Failure::usage(format!("`{text}` is no task id"))
            .hint("name a task by its id, by the beginning of its id, or as `last`"));
    }
    Ok(format!("{}{}", TaskId::PREFIX, body.to_ascii_uppercase()))
}

fn ambiguous(text: &str, many: &[v1::Task]) -> Failure {
    let shown = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let lines: Vec<String> = many
        .iter()
        .take(shown)
        .map(|task| {
            let dto = TaskDto::from(task);
            let what = dto.skill.unwrap_or_else(|| dto.command.join(" "));
            let age = dto::since(task.submitted_at, std::time::SystemTime::now())
                .map(output::age)
                .unwrap_or_default();
            format!(
                "  {}  {}  {}  {age} ago",
                dto.task_id,
                dto.status,
                output::one_line(&what, 40)
            )
        })
        .collect();
    let more = if many.len() > shown {
        "\n  and more"
    } else {
        ""
    };
    let message = format!(
        "`{text}` is the beginning of several ids:\n{}{more}",
        lines.join("\n")
    );
    Failure {
        code: "AMBIGUOUS".to_owned(),
        ..Failure::usage(message)
    }
    .hint("write more of the id")
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn ids_are_understood_in_any_case_and_without_their_prefix() {
        for text in ["task_01JD", "01jd", "TASK_01jd", " 01JD "] {
            assert_eq!(normalised(text).unwrap(), "task_01JD", "{text}");
        }
        for bad in ["", "task_", "a/b", "01 JD", "ü", "lats", "oops"] {
            assert!(normalised(bad).is_err(), "{bad}");
        }
    }
}
