//! Lists of tasks and nodes: which ones are asked for, and how much of them fits into one answer.

use openclaw_core::effect::Refusal;
use openclaw_proto::{SOFT_MESSAGE_BYTES, v1};
use prost::Message as _;

use super::convert::{self, words};
use crate::handle::{TaskFilter, TaskPage};

/// Tasks on a page when nothing is said.
const PAGE: u32 = 100;

/// The tasks of a page until a message is full; the next page then begins there.
pub(super) fn page_that_fits(page: &TaskPage) -> v1::ListTasksResponse {
    let (mut tasks, mut bytes, mut next) = (Vec::new(), 0, page.next);
    for record in &page.tasks {
        let task = convert::task_summary(record);
        bytes += task.encoded_len();
        tasks.push(task);
        if bytes >= SOFT_MESSAGE_BYTES {
            // After the last one this is where the store would go on anyway.
            next = (tasks.len() < page.tasks.len() || page.next.is_some()).then(|| record.id());
            break;
        }
    }
    v1::ListTasksResponse {
        tasks,
        next_cursor: next.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// A node as lists show it: schemas of skills are for those who ask for the node or the skill.
pub(super) fn without_schemas(node: &v1::Node) -> v1::Node {
    let mut node = node.clone();
    for skill in &mut node.skills {
        skill.input_schema.clear();
        skill.output_schema.clear();
    }
    node
}

pub(super) fn filter(request: v1::ListTasksRequest) -> Result<TaskFilter, Refusal> {
    let text = |text: String| Some(text.into_boxed_str()).filter(|text| !text.is_empty());
    let statuses = request
        .statuses()
        .filter_map(words::from_task_status)
        .collect();
    let limit = if request.limit == 0 {
        PAGE
    } else {
        request.limit
    };
    let mut filter = TaskFilter {
        statuses,
        since: convert::time("since", request.since.as_ref())?,
        skill: text(request.skill),
        node: text(request.node),
        user: text(request.user_id),
        batch: text(request.batch_id),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        ..TaskFilter::default()
    };
    if !request.cursor.is_empty() {
        let cursor = request.cursor.parse();
        filter.before = Some(
            cursor
                .map_err(|_| convert::invalid("cursor", "pass next_cursor of the page before"))?,
        );
    }
    if !request.id_prefix.is_empty() {
        filter.only_prefix(&request.id_prefix)?;
    }
    Ok(filter)
}
