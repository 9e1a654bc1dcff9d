//! Reads of committed rows from other threads, the same for every engine.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;
use openclaw_core::record::{FinalRow, SubmitRow};
use prost::Message;

use super::encode::{CHUNK_BYTES, Place};
use super::engine::{Span, View};
use super::error::StoreError;
use super::record::convert::{self, Names};
use super::record::key::{self, Part};
use super::record::{Invalid, envelope, wire};
use super::traits::{Page, Reader, ScanQuery};

/// Rows read from an engine at a time while listing.
const WINDOW: usize = 64;
/// Bytes of specifications and payloads after which a page ends.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The damage of a row.
pub(super) fn damaged(path: &Path, at: &[u8], detail: &Invalid) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        key: key::shown(at),
        detail: detail.to_string(),
    }
}

/// A row taken from an engine and checked.
#[derive(Debug)]
pub(super) struct Row {
    /// The commit that wrote it.
    pub(super) commit: u64,
    /// Its message.
    pub(super) message: Bytes,
}

/// Reads rows of a view, chunks included.
pub(super) struct Rows<'a, V> {
    pub(super) view: &'a V,
    pub(super) path: &'a Path,
}

impl<V: View> Rows<'_, V> {
    /// The row at `at`, whichever commit wrote it.
    pub(super) fn get(&self, at: &[u8]) -> Result<Option<Row>, StoreError> {
        self.view
            .get(at)?
            .map(|value| self.row(at, &value))
            .transpose()
    }

    fn row(&self, at: &[u8], value: &Bytes) -> Result<Row, StoreError> {
        let opened = envelope::open(at, value).map_err(|wrong| damaged(self.path, at, &wrong))?;
        let message = if opened.in_parts {
            let parts = self.decode::<wire::Parts>(at, opened.content)?;
            self.parts(at, Part::Message, opened.commit, parts)?
        } else {
            value.slice_ref(opened.content)
        };
        Ok(Row {
            commit: opened.commit,
            message,
        })
    }

    /// The message of a row.
    pub(super) fn decode<M: Message + Default>(
        &self,
        at: &[u8],
        message: impl bytes::Buf,
    ) -> Result<M, StoreError> {
        M::decode(message).map_err(|wrong| damaged(self.path, at, &wrong.into()))
    }

    /// Puts the chunks of a row together.
    pub(super) fn parts(
        &self,
        owner: &[u8],
        part: Part,
        commit: u64,
        parts: wire::Parts,
    ) -> Result<Bytes, StoreError> {
        let wrong = || damaged(self.path, owner, &Invalid::new("its chunks do not add up"));
        let size = usize::try_from(parts.bytes).map_err(|_| wrong())?;
        let place = Place {
            commit,
            chunks: parts.chunks,
        };
        let mut whole = Vec::with_capacity(size.min(CHUNK_BYTES * 32));
        for index in 0..place.chunks {
            let at = key::chunk(owner, part, place.commit, index);
            let missing = || damaged(self.path, &at, &Invalid::new("a chunk is missing"));
            let value = self.view.get(&at)?.ok_or_else(missing)?;
            let opened =
                envelope::open(&at, &value).map_err(|wrong| damaged(self.path, &at, &wrong))?;
            whole.extend_from_slice(opened.content);
        }
        if whole.len() == size {
            Ok(whole.into())
        } else {
            Err(wrong())
        }
    }

    /// Up to `most` rows of a range, copied, so that the engine is not held while they are looked at.
    fn window(&self, span: &Span, most: usize) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        let mut rows = Vec::new();
        self.view.visit(span, &mut |at, value| {
            rows.push((at.to_vec(), Bytes::copy_from_slice(value)));
            let full = rows.len() >= most;
            Ok(if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(rows)
    }
}

/// What the writing side shares with readers. Closing it takes the view away, so that a reader which outlives its
/// store does not keep the store's files locked.
#[derive(Debug)]
pub(super) struct Shared<V> {
    view: RwLock<Option<V>>,
    committed: AtomicU64,
    path: PathBuf,
}

impl<V: View> Shared<V> {
    pub(super) fn new(view: V, path: &Path) -> Self {
        Self {
            view: RwLock::new(Some(view)),
            committed: AtomicU64::new(0),
            path: path.to_owned(),
        }
    }

    /// Rows up to this commit may be seen.
    pub(super) fn publish(&self, commit: u64) {
        self.committed.store(commit, Ordering::Release);
    }

    /// Ends all reads; waits for those under way.
    pub(super) fn close(&self) {
        drop(
            self.view
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Committed<'_, V>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        let view = view.as_ref().ok_or(StoreError::Closed)?;
        read(&Committed {
            rows: Rows {
                view,
                path: &self.path,
            },
            commit: self.committed.load(Ordering::Acquire),
        })
    }
}

impl<V: View> Reader for Shared<V> {
    fn spec(&self, task: TaskId) -> Result<Option<Bytes>, StoreError> {
        self.submit(task).map(|row| row.map(|row| row.task.spec))
    }

    fn submit(&self, task: TaskId) -> Result<Option<SubmitRow>, StoreError> {
        self.read(|rows| rows.submit(task))
    }

    fn finished(&self, task: TaskId) -> Result<Option<FinalRow>, StoreError> {
        self.read(|rows| rows.finished(task, true))
    }

    fn scan(&self, query: &ScanQuery) -> Result<Page, StoreError> {
        let ends = [
            TaskStatus::Failed,
            TaskStatus::Cancelled,
            TaskStatus::Timeout,
        ];
        let wanted: Vec<_> = query
            .statuses
            .iter()
            .copied()
            .filter(|status| status.is_final())
            .collect();
        if query.limit == 0 || query.scan == 0 || (wanted.is_empty() && !query.statuses.is_empty())
        {
            return Ok(Page::default());
        }
        self.read(|rows| {
            if !wanted.is_empty() && wanted.iter().all(|status| ends.contains(status)) {
                rows.scan_index(query, &wanted)
            } else {
                rows.scan_tasks(query, &wanted)
            }
        })
    }
}

/// Rows up to a commit. Only rows that are never replaced are read here, so that no more than that is needed to see
/// one state of affairs.
struct Committed<'a, V> {
    rows: Rows<'a, V>,
    commit: u64,
}

impl<V: View> Committed<'_, V> {
    fn get(&self, at: &[u8]) -> Result<Option<Row>, StoreError> {
        let row = self.rows.get(at)?;
        Ok(row.filter(|row| row.commit <= self.commit))
    }

    fn submit(&self, task: TaskId) -> Result<Option<SubmitRow>, StoreError> {
        let at = key::task(task);
        self.get(&at)?
            .map(|row| self.submit_row(&at, task, row))
            .transpose()
    }

    fn submit_row(&self, at: &[u8], task: TaskId, row: Row) -> Result<SubmitRow, StoreError> {
        let mut message: wire::Submit = self.rows.decode(at, row.message)?;
        if let Some(parts) = message.spec_parts.take() {
            message.spec = self.rows.parts(at, Part::Blob, row.commit, parts)?;
        }
        convert::submit_row(task, message, &mut Names::default())
            .map_err(|wrong| damaged(self.rows.path, at, &wrong))
    }

    fn finished(&self, task: TaskId, payloads: bool) -> Result<Option<FinalRow>, StoreError> {
        let at = key::ended(task);
        let Some(row) = self.get(&at)? else {
            return Ok(None);
        };
        let mut message: wire::Final = self.rows.decode(&at, row.message)?;
        if let Some(parts) = message.payload_parts.take().filter(|_| payloads) {
            message.payload = self.rows.parts(&at, Part::Blob, row.commit, parts)?;
        }
        let row = convert::final_row(task, message, &mut Names::default());
        row.map(Some)
            .map_err(|wrong| damaged(self.rows.path, &at, &wrong))
    }

    /// Lists by looking at every task.
    fn scan_tasks(&self, query: &ScanQuery, wanted: &[TaskStatus]) -> Result<Page, StoreError> {
        let mut listing = Listing::new(query);
        let mut before = query.before;
        loop {
            let span = key::newest_first(key::TASK, query.from, before);
            let most = WINDOW.min(listing.looks_left);
            let window = self.rows.window(&span, most)?;
            let last = window.len() < most;
            for (at, value) in window {
                let task =
                    key::task_of(&at).map_err(|wrong| damaged(self.rows.path, &at, &wrong))?;
                before = Some(task);
                let row = self.rows.row(&at, &value)?;
                if row.commit <= self.commit {
                    let end = self.finished(task, query.payloads)?;
                    if wanted.is_empty()
                        || end.as_ref().is_some_and(|end| wanted.contains(&end.status))
                    {
                        let submit = self.submit_row(&at, task, row)?;
                        listing.push(submit, end);
                    }
                }
                if listing.looked_at(task) {
                    return Ok(listing.page);
                }
            }
            if last {
                listing.page.next = None;
                return Ok(listing.page);
            }
        }
    }

    /// Lists by the index of ends other than completed.
    fn scan_index(&self, query: &ScanQuery, wanted: &[TaskStatus]) -> Result<Page, StoreError> {
        let mut listing = Listing::new(query);
        let most = query.limit.min(query.scan).saturating_add(1);
        let mut tasks = Vec::new();
        for &status in wanted {
            let prefix = key::ended_prefix(status);
            for (at, _) in self
                .rows
                .window(&key::newest_first(&prefix, query.from, query.before), most)?
            {
                tasks
                    .push(key::task_of(&at).map_err(|wrong| damaged(self.rows.path, &at, &wrong))?);
            }
        }
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        tasks.dedup();
        for task in tasks {
            // An index row that is not committed yet has no committed end.
            if let (Some(submit), Some(end)) =
                (self.submit(task)?, self.finished(task, query.payloads)?)
            {
                listing.push(submit, Some(end));
            }
            if listing.looked_at(task) {
                return Ok(listing.page);
            }
        }
        listing.page.next = None;
        Ok(listing.page)
    }
}

/// A page that fills.
struct Listing {
    page: Page,
    limit: usize,
    looks_left: usize,
    bytes: usize,
}

impl Listing {
    fn new(query: &ScanQuery) -> Self {
        Self {
            page: Page::default(),
            limit: query.limit,
            looks_left: query.scan,
            bytes: 0,
        }
    }

    fn push(&mut self, submit: SubmitRow, end: Option<FinalRow>) {
        self.bytes += submit.task.spec.len() + end.as_ref().map_or(0, |end| end.payload.len());
        self.page.tasks.push((submit, end));
    }

    /// Counts a task; true when the page ends with it.
    fn looked_at(&mut self, task: TaskId) -> bool {
        self.looks_left -= 1;
        self.page.next = Some(task);
        self.page.tasks.len() >= self.limit || self.looks_left == 0 || self.bytes >= PAGE_BYTES
    }
}
