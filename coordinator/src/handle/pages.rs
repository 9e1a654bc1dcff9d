//! Lists of tasks: live ones from the core, final ones from the store, newest id first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_common::time::Wall;
use openclaw_core::effect::{Refusal, Reply};
use openclaw_core::event::{PageQuery, Query};
use openclaw_core::record::{FinalRow, SubmitRow};
use openclaw_core::view::LiveTask;

use super::admit::{Handle, mixed_up};
use crate::grpc::convert::invalid;
use crate::store::{Reader, ScanQuery, StoreError};
use crate::task_record::{Standing, TaskRecord};

/// Most tasks on a page.
pub const PAGE_MOST: usize = 1_000;
/// Live tasks looked at for one page.
const LIVE_SCAN: usize = 20_000;
/// Final tasks looked at for one page.
const FINAL_SCAN: usize = 5_000;

/// Which tasks. Everything left out means "any".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Any of these states.
    pub statuses: Vec<TaskStatus>,
    /// The skill they run.
    pub skill: Option<Box<str>>,
    /// The node of their latest attempt.
    pub node: Option<Box<str>>,
    /// Whose they are.
    pub user: Option<Box<str>>,
    /// Their batch.
    pub batch: Option<Box<str>>,
    /// Submitted at or after.
    pub since: Option<Wall>,
    /// Only ids below this one: the `next` of the page before.
    pub before: Option<TaskId>,
    /// Only this id and those above.
    pub from: Option<TaskId>,
    /// Tasks on the page, 1 to `PAGE_MOST`.
    pub limit: usize,
}

/// A page of tasks.
#[derive(Debug, Clone, Default)]
pub struct TaskPage {
    /// Newest id first. Results of final tasks may be left out.
    pub tasks: Vec<TaskRecord>,
    /// `before` of the next page; `None`: there is nothing more. A page may be short, even empty, and still have a
    /// next one.
    pub next: Option<TaskId>,
}

impl TaskFilter {
    /// Only ids that begin so, with or without `task_`.
    pub fn only_prefix(&mut self, prefix: &str) -> Result<(), Refusal> {
        const LETTERS: usize = 26;
        let letters = prefix.strip_prefix(TaskId::PREFIX).unwrap_or(prefix);
        let bound = |fill: char| {
            let missing = LETTERS.saturating_sub(letters.len());
            let text: String = TaskId::PREFIX
                .chars()
                .chain(letters.chars())
                .chain(std::iter::repeat_n(fill, missing))
                .collect();
            text.parse::<TaskId>()
        };
        // `0` and `Z` are the first and the last letter of the ids' alphabet; the first letter is `7` at most.
        let (Ok(first), Ok(last)) = (
            bound('0'),
            if letters.is_empty() {
                Ok(TaskId(u128::MAX))
            } else {
                bound('Z')
            },
        ) else {
            return Err(invalid(
                "id_prefix",
                "not the beginning of a task id: `task_` and letters and digits",
            ));
        };
        self.from = Some(self.from.map_or(first, |from| from.max(first)));
        if let Some(end) = last.0.checked_add(1).map(TaskId) {
            self.before = Some(self.before.map_or(end, |before| before.min(end)));
        }
        Ok(())
    }

    fn limit(&self) -> usize {
        self.limit.clamp(1, PAGE_MOST)
    }

    fn wants(&self, is_final: bool) -> bool {
        self.statuses.is_empty()
            || self
                .statuses
                .iter()
                .any(|status| status.is_final() == is_final)
    }

    fn live(&self) -> PageQuery {
        PageQuery {
            statuses: self
                .statuses
                .iter()
                .copied()
                .filter(|status| !status.is_final())
                .collect(),
            skill: self.skill.clone(),
            node: self.node.clone(),
            user: self.user.clone(),
            batch: self.batch.clone(),
            since: self.since,
            before: self.before,
            from: self.from,
            limit: self.limit(),
            scan: LIVE_SCAN,
        }
    }

    fn accepts(&self, submit: &SubmitRow, end: &FinalRow) -> bool {
        let task = &submit.task;
        let node = end.attempts.last().map(|attempt| &*attempt.node);
        let is = |wanted: &Option<Box<str>>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        (self.statuses.is_empty() || self.statuses.contains(&end.status))
            && is(&self.skill, task.requirements.skill.as_deref())
            && is(&self.node, node)
            && is(&self.user, Some(&task.user))
            && is(&self.batch, task.batch.as_deref())
            && self.since.is_none_or(|since| submit.at >= since)
    }
}

impl Handle {
    /// A page of tasks.
    pub async fn page(&self, filter: TaskFilter) -> Result<TaskPage, Refusal> {
        // Live ones first: a task that ends meanwhile is then found among the final ones, not lost between.
        let (live, live_next) = if filter.wants(false) {
            match self.query(Query::Page(filter.live())).await? {
                Reply::Page(live, next) => (live, next),
                other => return Err(mixed_up(&other)),
            }
        } else {
            (Vec::new(), None)
        };
        self.read(move |reader| merge(reader, &filter, live, live_next))
            .await
    }
}

fn merge(
    reader: &dyn Reader,
    filter: &TaskFilter,
    live: Vec<LiveTask>,
    live_next: Option<TaskId>,
) -> Result<TaskPage, StoreError> {
    let (finals, final_next) = if filter.wants(true) {
        finals(reader, filter)?
    } else {
        (Vec::new(), None)
    };
    // Below the higher of the two ends one of the lists is not complete.
    let complete_to = live_next.max(final_next);
    let mut found: BTreeMap<Reverse<TaskId>, Source> = BTreeMap::new();
    for task in live {
        found.insert(Reverse(task.state.id), Source::Live(Box::new(task)));
    }
    for (submit, end) in finals {
        found.insert(
            Reverse(submit.task.id),
            Source::Final(Box::new((submit, end))),
        );
    }
    let mut page = TaskPage {
        next: complete_to,
        ..TaskPage::default()
    };
    for (Reverse(id), source) in found {
        if complete_to.is_some_and(|end| id < end) {
            break;
        }
        if page.tasks.len() == filter.limit() {
            page.next = page.tasks.last().map(TaskRecord::id);
            break;
        }
        page.tasks.extend(source.record(reader)?);
    }
    Ok(page)
}

enum Source {
    Live(Box<LiveTask>),
    Final(Box<(SubmitRow, FinalRow)>),
}

impl Source {
    fn record(self, reader: &dyn Reader) -> Result<Option<TaskRecord>, StoreError> {
        let (submit, standing) = match self {
            Self::Live(live) => match reader.submit(live.state.id)? {
                Some(submit) => (submit, Standing::Live(live)),
                // It ended and expired since the core was asked.
                None => return Ok(None),
            },
            Self::Final(ended) => {
                let (submit, end) = *ended;
                (submit, Standing::Final(Arc::new(end)))
            }
        };
        Ok(Some(TaskRecord {
            submit: Arc::new(submit),
            standing,
        }))
    }
}

type Finals = (Vec<(SubmitRow, FinalRow)>, Option<TaskId>);

/// Final tasks that the filter accepts, and where to go on when the page or the scan was full.
fn finals(reader: &dyn Reader, filter: &TaskFilter) -> Result<Finals, StoreError> {
    let mut found = Vec::new();
    let mut before = filter.before;
    let mut left = FINAL_SCAN;
    loop {
        let page = reader.scan(&ScanQuery {
            before,
            from: filter.from,
            statuses: final_statuses(filter),
            limit: filter.limit().max(100).min(left),
            scan: left,
            payloads: false,
        })?;
        left = left.saturating_sub(page.tasks.len().max(1));
        for (submit, end) in page.tasks {
            let Some(end) = end.filter(|end| filter.accepts(&submit, end)) else {
                continue;
            };
            let id = submit.task.id;
            found.push((submit, end));
            if found.len() == filter.limit() {
                return Ok((found, Some(id)));
            }
        }
        match page.next {
            None => return Ok((found, None)),
            next if left == 0 => return Ok((found, next)),
            next => before = next,
        }
    }
}

/// The final states to scan for: without a filter, all of them, so that live tasks don't use up the page.
fn final_statuses(filter: &TaskFilter) -> Vec<TaskStatus> {
    if filter.statuses.is_empty() {
        return TaskStatus::ALL
            .iter()
            .copied()
            .filter(|status| status.is_final())
            .collect();
    }
    filter
        .statuses
        .iter()
        .copied()
        .filter(|status| status.is_final())
        .collect()
}
