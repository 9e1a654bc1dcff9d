//! The store over any engine: commits, fencing, loading. An engine adds nothing but bytes that stay.

use std::path::Path;
use std::sync::Arc;

use openclaw_common::id::ClusterId;
use openclaw_core::record::{Loaded, Write};

use super::encode::{Encoder, Scattered};
use super::engine::{Change, Engine, Ops};
use super::error::StoreError;
use super::load::{self, Meta, SCHEMA};
use super::read::{Rows, Shared};
use super::record::{convert, key, wire};
use super::traits::{Batch, Limits, Reader, Start, Store};

/// A store over an engine.
pub(super) struct RowStore<E: Engine> {
    pub(super) engine: E,
    pub(super) view: E::View,
    shared: Arc<Shared<E::View>>,
    start: Start,
    state: State,
}

/// How far a store is.
enum State {
    /// Open, not loaded.
    Opened,
    /// Owned by a run.
    Running(Run),
    /// Failed: what is durable is unknown.
    Failed,
}

/// The run that owns the store.
struct Run {
    epoch: u64,
    /// Commits of this run.
    seq: u64,
    /// Number of the last commit in the store.
    commit: u64,
    last_task_seq: u64,
    scattered: Scattered,
}

impl<E: Engine> RowStore<E> {
    pub(super) fn new(engine: E, start: Start) -> Self {
        let view = engine.view();
        let shared = Arc::new(Shared::new(view.clone(), engine.path()));
        Self {
            engine,
            view,
            shared,
            start,
            state: State::Opened,
        }
    }

    pub(super) fn rows(&self) -> Rows<'_, E::View> {
        Rows {
            view: &self.view,
            path: self.engine.path(),
        }
    }

    /// Applies rows; the first error is the last call.
    pub(super) fn apply(&mut self, ops: Ops) -> Result<(), StoreError> {
        let applied = self.engine.apply(ops);
        if applied.is_err() {
            self.state = State::Failed;
        }
        applied
    }

    /// Number of the last commit, while a run owns the store.
    pub(super) fn committed(&self) -> Option<u64> {
        match &self.state {
            State::Running(run) => Some(run.commit),
            State::Opened | State::Failed => None,
        }
    }

    fn take_over(&mut self) -> Result<Loaded, StoreError> {
        let meta = load::meta(&self.rows())?;
        self.check_witness(meta.commit)?;
        let found = load::load(&self.rows(), meta.commit)?;
        if !found.torn.is_empty() {
            tracing::warn!(
                path = %self.engine.path().display(),
                rows = found.torn.len(),
                "dropped what was left of a batch that was never committed"
            );
        }
        let cluster_id = meta.cluster.unwrap_or_else(|| self.new_cluster());
        let epoch = meta.epoch.saturating_add(1).max(self.start.wall.0 / 1000);
        let ops = claim(meta, cluster_id, epoch, found.torn);
        self.apply(ops)?;
        let commit = meta.commit + 1;
        self.shared.publish(commit);
        self.state = State::Running(Run {
            epoch,
            seq: 0,
            commit,
            last_task_seq: meta.last_task_seq,
            scattered: found.scattered,
        });
        Ok(Loaded {
            cluster_id,
            epoch,
            last_seq: meta.last_task_seq,
            ..found.loaded
        })
    }

    /// An engine may take damage in the middle of its file for the end of the file.
    fn check_witness(&self, commit: u64) -> Result<(), StoreError> {
        match self.engine.witnessed() {
            Some(witnessed) if witnessed > commit => Err(StoreError::Damaged {
                path: self.engine.path().to_owned(),
                key: key::shown(key::META_COMMIT),
                detail: format!("it ends at commit {commit}, but commit {witnessed} was durable"),
            }),
            _ => Ok(()),
        }
    }

    fn new_cluster(&self) -> ClusterId {
        ClusterId::from_parts(self.start.wall.0, self.start.random)
    }

    /// Commits one piece of a batch.
    fn piece(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let State::Running(run) = &mut self.state else {
            return Err(StoreError::Closed);
        };
        run.commit += 1;
        let mut encoder = Encoder::new(run.commit, &mut run.scattered);
        for write in writes {
            if let Write::Submit(row) = write {
                run.last_task_seq = run.last_task_seq.max(row.seq);
            }
            encoder.write(write);
        }
        let last_task_seq = run.last_task_seq;
        let ops = encoder.finish(wire::Mark { last_task_seq });
        self.apply(ops)
    }
}

/// The rows by which a run takes the store over.
fn claim(meta: Meta, cluster: ClusterId, epoch: u64, torn: Vec<Change>) -> Ops {
    // None of these rows is ever large, so nothing is scattered.
    let mut scattered = Scattered::default();
    let mut encoder = Encoder::new(meta.commit + 1, &mut scattered);
    let number = |value| wire::Number { value };
    encoder.replace(key::META_SCHEMA.to_vec(), &number(u64::from(SCHEMA)));
    encoder.replace(key::META_EPOCH.to_vec(), &number(epoch));
    if meta.cluster.is_none() {
        encoder.replace(key::META_CLUSTER.to_vec(), &convert::hash(cluster.0));
    }
    let last_task_seq = meta.last_task_seq;
    let mut ops = encoder.finish(wire::Mark { last_task_seq });
    ops.changes.extend(torn);
    ops
}

/// Where to split a batch for an engine that takes `most` writes at once: only at cuts, as few pieces as that allows.
fn pieces(batch: &Batch, most: usize) -> Vec<&[Write]> {
    let writes = batch.writes.as_slice();
    let mut pieces = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for &cut in batch.cuts.iter().chain([&writes.len()]) {
        let cut = cut.clamp(end, writes.len());
        if cut - begin > most && end > begin {
            pieces.push(&writes[begin..end]);
            begin = end;
        }
        end = cut;
    }
    pieces.push(&writes[begin..]);
    pieces
}

impl<E: Engine> Store for RowStore<E> {
    fn limits(&self) -> Limits {
        self.engine.limits()
    }

    fn load(&mut self) -> Result<Loaded, StoreError> {
        if !matches!(self.state, State::Opened) {
            return Err(StoreError::Closed);
        }
        let loaded = self.take_over();
        if loaded.is_err() {
            self.state = State::Failed;
        }
        loaded
    }

    fn commit(&mut self, epoch: u64, seq: u64, batch: &Batch) -> Result<(), StoreError> {
        let State::Running(run) = &mut self.state else {
            return Err(StoreError::Closed);
        };
        if epoch != run.epoch {
            let stored = run.epoch;
            return Err(StoreError::Fenced {
                stored,
                given: epoch,
            });
        }
        let expected = run.seq + 1;
        if seq != expected {
            return Err(StoreError::OutOfOrder {
                expected,
                given: seq,
            });
        }
        run.seq = seq;
        for piece in pieces(batch, self.engine.piece()) {
            self.piece(piece)?;
        }
        if let Some(commit) = self.committed() {
            self.shared.publish(commit);
        }
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        let shared: Arc<Shared<E::View>> = Arc::clone(&self.shared);
        shared
    }

    fn engine(&self) -> &'static str {
        self.engine.name()
    }

    fn export(&mut self, file: &Path) -> Result<u64, StoreError> {
        super::export::write(self, file)
    }

    fn import(&mut self, file: &Path) -> Result<u64, StoreError> {
        super::export::read(self, file)
    }
}

impl<E: Engine> Drop for RowStore<E> {
    fn drop(&mut self) {
        self.shared.close();
    }
}
