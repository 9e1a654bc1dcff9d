//! What waits to be said on the present stream. Bounded by what the worker holds: at most one entry an attempt and
//! kind, one of everything else.

use std::collections::{BTreeMap, VecDeque};

use openclaw_common::id::LeaseId;

use super::Progress;

/// Things to say. All of it is dropped with its stream: Hello tells the next one how things stand.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub pong: Option<u64>,
    pub leaving: Option<String>,
    /// Attempts given back, by reason.
    pub released: BTreeMap<String, Vec<LeaseId>>,
    pub inventory: bool,
    pub heartbeat: bool,
    pub results: VecDeque<LeaseId>,
    pub started: Vec<LeaseId>,
    pub progress: BTreeMap<LeaseId, Progress>,
    pub bye: Option<String>,
}

impl Outbox {
    /// Nothing waits. A result or start that went out of date meanwhile still counts as waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.pong.is_none()
            && self.leaving.is_none()
            && self.released.is_empty()
            && !self.inventory
            && !self.heartbeat
            && self.results.is_empty()
            && self.started.is_empty()
            && self.progress.is_empty()
            && self.bye.is_none()
    }

    pub(super) fn release(&mut self, lease: LeaseId, reason: &str) {
        match self.released.get_mut(reason) {
            Some(leases) => leases.push(lease),
            None => drop(self.released.insert(reason.to_owned(), vec![lease])),
        }
    }
}
