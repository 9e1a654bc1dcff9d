//! `WatchTasks`: the present state of each task, then each change, until all are final.

use std::collections::{BTreeSet, VecDeque};

use futures_util::stream::{self, Stream};
use openclaw_common::id::TaskId;
use openclaw_proto::v1;
use tonic::Status;

use super::{convert, reply};
use crate::events::{Followed, Following};
use crate::handle::{Handle, unknown};

struct Watch {
    handle: Handle,
    following: Following,
    /// Tasks that are not final, as far as is known.
    open: BTreeSet<TaskId>,
    /// The states must be read anew.
    anew: bool,
    ready: VecDeque<v1::TaskState>,
}

/// Follows these tasks. An unknown one ends the stream with `NOT_FOUND`.
pub(super) fn watch(
    handle: Handle,
    tasks: Vec<TaskId>,
) -> impl Stream<Item = Result<v1::WatchTasksResponse, Status>> + Send + 'static {
    let watch = Watch {
        following: handle.follow(tasks.clone()),
        handle,
        open: tasks.into_iter().collect(),
        anew: true,
        ready: VecDeque::new(),
    };
    stream::try_unfold(watch, |mut watch| async move {
        let state = watch.next().await?;
        Ok(state.map(|state| (v1::WatchTasksResponse { state: Some(state) }, watch)))
    })
}

impl Watch {
    async fn next(&mut self) -> Result<Option<v1::TaskState>, Status> {
        loop {
            if let Some(state) = self.ready.pop_front() {
                return Ok(Some(state));
            }
            if self.open.is_empty() {
                return Ok(None);
            }
            if std::mem::take(&mut self.anew) {
                self.read().await?;
                continue;
            }
            match self.following.next().await {
                Followed::Change(change) if self.open.contains(&change.notice.task) => {
                    if change.notice.status.is_final() {
                        self.open.remove(&change.notice.task);
                    }
                    self.ready.push_back(convert::notice_state(&change.notice));
                }
                Followed::Change(_) => {}
                Followed::Gap => self.anew = true,
                Followed::Over => {
                    self.following = self.handle.follow(self.open.iter().copied().collect());
                    self.anew = true;
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), Status> {
        let tasks: Vec<TaskId> = self.open.iter().copied().collect();
        let states = self
            .handle
            .states(tasks.clone())
            .await
            .map_err(|refusal| reply::status(&refusal))?;
        for (task, state) in tasks.into_iter().zip(states) {
            let state = state.ok_or_else(|| reply::status(&unknown(task)))?;
            if state.status.is_final() {
                self.open.remove(&task);
            }
            self.ready.push_back(convert::state_proto(&state));
        }
        Ok(())
    }
}
