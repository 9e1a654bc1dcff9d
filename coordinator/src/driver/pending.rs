//! What a batch in the making holds beside its writes.

use std::collections::HashMap;
use std::sync::Arc;

use openclaw_common::id::TaskId;
use openclaw_core::effect::Effects;
use openclaw_core::record::{FinalRow, Write};
use tokio::sync::OwnedSemaphorePermit;

use super::publish::PublishedView;
use crate::events::Hub;
use crate::store::{Batch, Limits, weight};

/// Effects that wait for their flush.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) fx: Effects,
    /// Where the writes of one event end and those of the next begin.
    cuts: Vec<usize>,
    /// Bytes that callers and workers sent.
    bytes: usize,
    /// Writes that are counted in `cuts` and `bytes`.
    counted: usize,
    /// Room that is given back once everything here is durable.
    pub(super) rooms: Vec<OwnedSemaphorePermit>,
    /// The state after all of this, to be shown after the flush.
    pub(super) view: Option<PublishedView>,
    /// Ends that somebody waits for.
    pub(super) ends: HashMap<TaskId, Arc<FinalRow>>,
}

impl Pending {
    /// The writes of one event are complete.
    pub(super) fn cut(&mut self) {
        let writes = &self.fx.writes[self.counted..];
        if writes.is_empty() {
            return;
        }
        self.bytes += writes.iter().map(weight).sum::<usize>();
        self.counted = self.fx.writes.len();
        self.cuts.push(self.counted);
    }

    /// Whether another event may be collected.
    pub(super) const fn has_room(&self, limits: Limits) -> bool {
        self.fx.writes.len() < limits.writes && self.bytes < limits.bytes
    }

    /// Whether there is nothing to do at all.
    pub(super) fn is_empty(&self) -> bool {
        self.fx.is_empty() && self.view.is_none() && self.rooms.is_empty()
    }

    /// The writes, to be made durable; what stays waits for that. Keeps the ends that somebody follows at hand.
    pub(super) fn take_batch(&mut self, hub: &Hub) -> Batch {
        let finals = self.fx.writes.iter().filter_map(|write| match write {
            Write::Final(row) => Some((row.id, row.as_ref())),
            _ => None,
        });
        let followed = hub.followed(finals);
        self.ends = followed
            .into_iter()
            .map(|row| (row.id, Arc::new(row.clone())))
            .collect();
        self.counted = 0;
        self.bytes = 0;
        // The last cut is the end of the batch, which is none.
        self.cuts.pop();
        Batch {
            writes: std::mem::take(&mut self.fx.writes),
            cuts: std::mem::take(&mut self.cuts),
        }
    }
}
