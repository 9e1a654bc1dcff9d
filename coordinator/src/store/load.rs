//! What a restart finds.

use std::ops::ControlFlow;
use std::path::Path;

use openclaw_common::id::{ClusterId, TaskId};
use openclaw_core::record::{BatchId, KeyRow, Loaded, NodeRow, OfferRow, StateRow, SubmitRow};
use prost::Message;

use super::encode::{Place, Scattered};
use super::engine::{Change, Span, View};
use super::error::StoreError;
use super::read::{Rows, damaged};
use super::record::convert::{self, Names};
use super::record::key::{self, Part};
use super::record::{Invalid, envelope, wire};

/// The schema written here.
pub(super) const SCHEMA: u32 = 1;

/// The rows under `m/`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meta {
    pub(super) cluster: Option<ClusterId>,
    pub(super) epoch: u64,
    /// Number of the last commit.
    pub(super) commit: u64,
    /// Highest `seq` of any accepted task.
    pub(super) last_task_seq: u64,
}

/// Reads `m/`. A store without a last commit must be empty.
pub(super) fn meta<V: View>(rows: &Rows<'_, V>) -> Result<Meta, StoreError> {
    let missing = |at: &[u8]| {
        damaged(
            rows.path,
            at,
            &Invalid::new("the row is missing, others are there"),
        )
    };
    let Some(commit) = rows.get(key::META_COMMIT)? else {
        return if is_empty(rows)? {
            Ok(Meta::default())
        } else {
            Err(missing(key::META_COMMIT))
        };
    };
    let number = |at: &[u8]| -> Result<u64, StoreError> {
        let row = rows.get(at)?.ok_or_else(|| missing(at))?;
        Ok(rows.decode::<wire::Number>(at, row.message)?.value)
    };
    let found = u32::try_from(number(key::META_SCHEMA)?).unwrap_or(u32::MAX);
    if found > SCHEMA {
        let path = rows.path.to_owned();
        return Err(StoreError::Schema {
            path,
            found,
            known: SCHEMA,
        });
    }
    let cluster = rows
        .get(key::META_CLUSTER)?
        .ok_or_else(|| missing(key::META_CLUSTER))?;
    let cluster = rows.decode::<wire::Hash>(key::META_CLUSTER, cluster.message)?;
    let cluster = convert::number(Some(cluster))
        .map_err(|wrong| damaged(rows.path, key::META_CLUSTER, &wrong))?;
    let mark: wire::Mark = rows.decode(key::META_COMMIT, commit.message)?;
    Ok(Meta {
        cluster: Some(ClusterId(cluster)),
        epoch: number(key::META_EPOCH)?,
        commit: commit.commit,
        last_task_seq: mark.last_task_seq,
    })
}

/// Every key there may be.
pub(super) fn everything() -> Span {
    Span {
        from: Vec::new(),
        to: vec![0xff],
        backwards: false,
    }
}

/// No row at all.
pub(super) fn is_empty<V: View>(rows: &Rows<'_, V>) -> Result<bool, StoreError> {
    let mut empty = true;
    rows.view.visit(&everything(), &mut |_, _| {
        empty = false;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(empty)
}

/// Everything a restart needs but for `m/`, and what of a torn batch is to be deleted.
pub(super) struct Found {
    pub(super) loaded: Loaded,
    pub(super) torn: Vec<Change>,
    pub(super) scattered: Scattered,
}

/// Reads all rows up to `commit`.
pub(super) fn load<V: View>(rows: &Rows<'_, V>, commit: u64) -> Result<Found, StoreError> {
    let mut loading = Loading {
        rows,
        commit,
        names: Names::default(),
        torn: Vec::new(),
        scattered: Scattered::default(),
    };
    let mut ended = loading.collect(key::FINAL, &mut |at, _, _| key::task_of(at).map(Some))?;
    ended.sort_unstable();
    let mut tasks = loading.tasks(&ended)?;
    tasks.sort_unstable_by_key(|row| row.seq);
    let mut offers = loading.offers()?;
    offers.sort_unstable_by_key(|row: &OfferRow| row.id);
    let loaded = Loaded {
        tasks,
        offers,
        states: loading.states()?,
        keys: loading.keys()?,
        nodes: loading.nodes()?,
        ..Loaded::default()
    };
    loading.torn_followers()?;
    Ok(Found {
        loaded,
        torn: loading.torn,
        scattered: loading.scattered,
    })
}

type Decode<'d, T> = &'d mut dyn FnMut(&[u8], &[u8], &mut Names) -> Result<Option<T>, Invalid>;

struct Loading<'a, V> {
    rows: &'a Rows<'a, V>,
    commit: u64,
    names: Names,
    torn: Vec<Change>,
    scattered: Scattered,
}

impl<V: View> Loading<'_, V> {
    /// All committed rows of a kind; those that `decode` gives up are left out.
    fn collect<T>(&mut self, prefix: &[u8], decode: Decode<'_, T>) -> Result<Vec<T>, StoreError> {
        let path: &Path = self.rows.path;
        let mut found = Vec::new();
        let mut in_parts = Vec::new();
        let (names, torn, commit) = (&mut self.names, &mut self.torn, self.commit);
        self.rows.view.visit(&key::all(prefix), &mut |at, value| {
            let row = envelope::open(at, value).map_err(|wrong| damaged(path, at, &wrong))?;
            if row.commit > commit {
                torn.push(Change::Delete(at.to_vec()));
            } else if row.in_parts {
                in_parts.push((at.to_vec(), row.commit, row.content.to_vec()));
            } else if let Some(one) =
                decode(at, row.content, names).map_err(|wrong| damaged(path, at, &wrong))?
            {
                found.push(one);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (at, commit, content) in in_parts {
            let parts: wire::Parts = self.rows.decode(&at, content.as_slice())?;
            self.scattered.found(
                &at,
                Place {
                    commit,
                    chunks: parts.chunks,
                },
            );
            let message = self.rows.parts(&at, Part::Message, commit, parts)?;
            let one = decode(&at, &message, &mut self.names)
                .map_err(|wrong| damaged(path, &at, &wrong))?;
            found.extend(one);
        }
        Ok(found)
    }

    /// Live tasks, without their specifications. `ended` is sorted.
    fn tasks(&mut self, ended: &[TaskId]) -> Result<Vec<SubmitRow>, StoreError> {
        self.collect(key::TASK, &mut |at, content, names| {
            let id = key::task_of(at)?;
            if ended.binary_search(&id).is_ok() {
                return Ok(None);
            }
            let mut row = convert::submit_row(id, wire::Submit::decode(content)?, names)?;
            row.task.spec.clear();
            Ok(Some(row))
        })
    }

    fn offers(&mut self) -> Result<Vec<OfferRow>, StoreError> {
        self.collect(key::OFFER, &mut |at, content, names| {
            let id: BatchId = key::offer_of(at)?;
            convert::offer_row(id, &wire::Offer::decode(content)?, names).map(Some)
        })
    }

    fn states(&mut self) -> Result<Vec<StateRow>, StoreError> {
        self.collect(key::STATE, &mut |at, content, names| {
            convert::state_row(key::task_of(at)?, wire::State::decode(content)?, names).map(Some)
        })
    }

    fn keys(&mut self) -> Result<Vec<KeyRow>, StoreError> {
        self.collect(key::KEY, &mut |at, content, names| {
            let (user, name) = key::caller_key_of(at)?;
            convert::key_row(user, name, wire::Key::decode(content)?, names).map(Some)
        })
    }

    fn nodes(&mut self) -> Result<Vec<NodeRow>, StoreError> {
        self.collect(key::NODE, &mut |at, content, names| {
            convert::node_row(key::node_of(at)?, wire::Node::decode(content)?, names).map(Some)
        })
    }

    /// Chunks and index rows of a torn batch. They are written after the rows they belong to, so they need looking
    /// for only when such rows were found.
    fn torn_followers(&mut self) -> Result<(), StoreError> {
        if !self.torn.is_empty() {
            for prefix in [key::CHUNK, key::ENDED] {
                self.collect(prefix, &mut |_, _, _| Ok(None::<()>))?;
            }
        }
        Ok(())
    }
}
