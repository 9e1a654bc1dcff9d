//! One suite for every engine: what the store promises must hold whatever keeps the bytes.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::status::TaskStatus;
use openclaw_core::record::{Loaded, Write};
use prost::Message;

use super::super::encode::{CHUNK_BYTES, INLINE_BYTES};
use super::super::engine::{Change, Engine, Ops, Span, View};
use super::super::error::StoreError;
use super::super::load::everything;
use super::super::record::{convert, envelope, key};
use super::super::rows::RowStore;
use super::super::samples::{
    ended, full_final, full_state, full_submit, id, node, offer, start, start_at, state, submit,
};
use super::super::traits::{Batch, Reader, ScanQuery, Store};

/// An engine and a place of its own for one test.
pub(super) trait Lab {
    type Engine: Engine;

    /// An empty place.
    fn new() -> Self;

    /// Opens what is there.
    fn engine(&self) -> Result<Self::Engine, StoreError>;

    fn open(&self) -> RowStore<Self::Engine> {
        RowStore::new(self.engine().unwrap(), start())
    }
}

/// A store under test, with its run.
struct Run<E: Engine> {
    store: RowStore<E>,
    loaded: Loaded,
    seq: u64,
}

impl<E: Engine> Run<E> {
    fn of<L: Lab<Engine = E>>(lab: &L) -> Self {
        let mut store = lab.open();
        let loaded = store.load().unwrap();
        Self {
            store,
            loaded,
            seq: 0,
        }
    }

    fn try_commit(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.seq += 1;
        self.store
            .commit(self.loaded.epoch, self.seq, &Batch::new(writes))
    }

    fn commit(&mut self, writes: Vec<Write>) {
        self.try_commit(writes).unwrap();
    }

    fn keys(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        rows(&self.store.view, &key::all(prefix))
            .into_iter()
            .map(|(at, _)| at)
            .collect()
    }
}

fn rows(view: &impl View, span: &Span) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let visited = view.visit(span, &mut |at, value| {
        rows.push((at.to_vec(), value.to_vec()));
        Ok(ControlFlow::Continue(()))
    });
    visited.unwrap();
    rows
}

fn submits(numbers: impl IntoIterator<Item = u64>) -> Vec<Write> {
    numbers
        .into_iter()
        .map(|n| Write::Submit(Box::new(submit(n))))
        .collect()
}

fn finals(numbers: impl IntoIterator<Item = u64>, status: TaskStatus) -> Vec<Write> {
    numbers
        .into_iter()
        .map(|n| Write::Final(Box::new(ended(n, status))))
        .collect()
}

fn everything_else() -> Vec<Write> {
    vec![
        Write::Offer(offer(2, 3, 2)),
        Write::Offer(offer(1, 2, 1)),
        Write::State(Box::new(state(2))),
        Write::Node(Box::new(node("macbook", 2))),
    ]
}

/// The same without what a restart leaves out.
fn without_spec(n: u64) -> openclaw_core::record::SubmitRow {
    let mut row = submit(n);
    row.task.spec = Bytes::new();
    row
}

pub(super) fn what_was_committed_is_found_again<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    assert_eq!((run.loaded.last_seq, run.loaded.tasks.len()), (0, 0));
    run.commit(submits([3, 1, 2]));
    run.commit(everything_else());
    run.commit(finals([3], TaskStatus::Completed));
    let cluster = run.loaded.cluster_id;
    drop(run);

    let run = Run::of(&lab);
    let expected = Loaded {
        cluster_id: cluster,
        epoch: run.loaded.epoch,
        last_seq: 3,
        tasks: vec![without_spec(1), without_spec(2)],
        states: vec![state(2)],
        offers: vec![offer(1, 2, 1), offer(2, 3, 2)],
        keys: Vec::new(),
        nodes: vec![node("macbook", 2)],
    };
    assert_eq!(run.loaded, expected);
    let reader = run.store.reader();
    assert_eq!(reader.submit(id(3)).unwrap(), Some(submit(3)));
    assert_eq!(
        reader.finished(id(3)).unwrap(),
        Some(ended(3, TaskStatus::Completed))
    );
    assert_eq!(reader.finished(id(1)).unwrap(), None);
    assert_eq!(reader.submit(id(9)).unwrap(), None);
}

pub(super) fn every_field_comes_back<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(vec![
        Write::Submit(Box::new(full_submit())),
        Write::State(Box::new(full_state())),
    ]);
    drop(run);
    let mut run = Run::of(&lab);
    assert_eq!(run.loaded.states, [full_state()]);
    run.commit(vec![Write::Final(Box::new(full_final()))]);
    let reader = run.store.reader();
    assert_eq!(reader.submit(id(1)).unwrap(), Some(full_submit()));
    assert_eq!(reader.spec(id(1)).unwrap(), Some(full_submit().task.spec));
    assert_eq!(reader.finished(id(1)).unwrap(), Some(full_final()));
}

pub(super) fn the_epoch_rises_and_the_cluster_stays<L: Lab>() {
    let lab = L::new();
    let load = |seconds| {
        let mut store = RowStore::new(lab.engine().unwrap(), start_at(seconds));
        store.load().unwrap()
    };
    let first = load(1_000);
    assert_eq!(
        (first.epoch, first.cluster_id.wall_ms()),
        (1_000, 1_000_000)
    );
    let after_the_clock_went_back = load(10);
    assert_eq!(after_the_clock_went_back.epoch, 1_001);
    let later = load(5_000);
    assert_eq!((later.epoch, later.cluster_id), (5_000, first.cluster_id));
}

pub(super) fn only_the_owner_commits_and_only_in_order<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    let epoch = run.loaded.epoch;
    let batch = Batch::new(submits([1]));
    let old = run.store.commit(epoch - 1, 1, &batch);
    assert!(
        matches!(old, Err(StoreError::Fenced { stored, given }) if stored == epoch && given == epoch - 1)
    );
    let skipped = run.store.commit(epoch, 2, &batch);
    assert!(matches!(
        skipped,
        Err(StoreError::OutOfOrder {
            expected: 1,
            given: 2
        })
    ));
    run.store.commit(epoch, 1, &batch).unwrap();
    drop(run);
    let unloaded = lab.open().commit(epoch, 2, &batch);
    assert!(matches!(unloaded, Err(StoreError::Closed)));
}

pub(super) fn a_second_opener_is_refused<L: Lab>() {
    let lab = L::new();
    let run = Run::of(&lab);
    assert!(matches!(lab.engine(), Err(StoreError::Locked { .. })));
    drop(run);
    drop(Run::of(&lab));
}

pub(super) fn a_reader_ends_with_its_store_and_holds_nothing_open<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1]));
    let reader = run.store.reader();
    drop(run);
    assert!(matches!(reader.submit(id(1)), Err(StoreError::Closed)));
    let run = Run::of(&lab);
    assert!(run.store.reader().submit(id(1)).unwrap().is_some());
    assert!(matches!(reader.scan(&all()), Err(StoreError::Closed)));
}

pub(super) fn large_specifications_and_payloads_lie_in_chunks<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    let sizes = [
        0,
        1,
        INLINE_BYTES,
        INLINE_BYTES + 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        1024 * 1024,
    ];
    let content =
        |size: usize| -> Bytes { (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect() };
    let numbered = || (1_u64..).zip(sizes);
    for (n, size) in numbered() {
        let mut row = submit(n);
        row.task.spec = content(size);
        let mut end = ended(n, TaskStatus::Completed);
        end.payload = content(size);
        run.commit(vec![
            Write::Submit(Box::new(row)),
            Write::Final(Box::new(end)),
        ]);
    }
    drop(run);
    let run = Run::of(&lab);
    let reader = run.store.reader();
    for (n, size) in numbered() {
        assert_eq!(reader.spec(id(n)).unwrap(), Some(content(size)), "{size}");
        assert_eq!(
            reader.finished(id(n)).unwrap().unwrap().payload,
            content(size),
            "{size}"
        );
    }
    let longest = rows(&run.store.view, &everything())
        .iter()
        .map(|(_, value)| value.len())
        .max();
    assert!(longest.unwrap() < CHUNK_BYTES + 64);
}

pub(super) fn rows_of_any_size_are_kept_and_their_chunks_go_with_them<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(vec![
        Write::Node(Box::new(node("macbook", 500))),
        Write::Offer(offer(1, 1, 10_000)),
    ]);
    let chunks = run.keys(key::CHUNK).len();
    assert!(chunks >= 6, "{chunks}");
    drop(run);

    let mut run = Run::of(&lab);
    assert_eq!(run.loaded.nodes, [node("macbook", 500)]);
    assert_eq!(run.loaded.offers, [offer(1, 1, 10_000)]);
    run.commit(vec![
        Write::OfferDone(offer(1, 1, 1).id),
        Write::Node(Box::new(node("macbook", 400))),
    ]);
    run.commit(vec![
        Write::Node(Box::new(node("macbook", 600))),
        Write::Node(Box::new(node("macbook", 200))),
    ]);
    drop(run);

    let mut run = Run::of(&lab);
    assert_eq!(run.loaded.nodes, [node("macbook", 200)]);
    assert_eq!(run.loaded.offers, []);
    let size = convert::node(&node("macbook", 200)).encoded_len();
    assert_eq!(run.keys(key::CHUNK).len(), size.div_ceil(CHUNK_BYTES));
    run.commit(vec![Write::Node(Box::new(node("macbook", 1)))]);
    assert_eq!(run.keys(key::CHUNK).len(), 0);
}

pub(super) fn what_is_over_is_deleted<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1, 2]));
    run.commit(vec![
        Write::Offer(offer(1, 1, 2)),
        Write::State(Box::new(state(1))),
        Write::State(Box::new(state(2))),
    ]);
    let mut end = ended(1, TaskStatus::Cancelled);
    end.had_state = true;
    run.commit(vec![
        Write::OfferDone(offer(1, 1, 2).id),
        Write::Final(Box::new(end)),
    ]);
    // Within one batch as well.
    run.commit(vec![
        Write::Offer(offer(2, 1, 2)),
        Write::OfferDone(offer(2, 1, 2).id),
    ]);
    drop(run);
    let run = Run::of(&lab);
    assert_eq!(run.loaded.offers, []);
    assert_eq!(run.loaded.states, [state(2)]);
    assert_eq!(run.loaded.tasks, [without_spec(2)]);
}

pub(super) fn keys_and_chosen_ids_are_found_again<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    let mut named = submit(1);
    named.task.key = Some("nightly".into());
    let mut chosen = submit(2);
    chosen.task.id_given = true;
    let mut same_key_of_another = submit(3);
    same_key_of_another.task.user = "bob".into();
    same_key_of_another.task.key = Some("nightly".into());
    for row in [&named, &chosen, &same_key_of_another] {
        run.commit(vec![Write::Submit(Box::new(row.clone()))]);
    }
    run.commit(finals([1], TaskStatus::Completed));
    drop(run);
    let mut keys = Run::of(&lab).loaded.keys;
    keys.sort_by_key(|row| row.task);
    let found: Vec<_> = keys
        .iter()
        .map(|row| (&*row.user, row.key.to_string(), row.task, row.body_hash))
        .collect();
    let hash = |n| submit(n).task.body_hash;
    assert_eq!(
        found,
        [
            ("alice", "nightly".to_owned(), id(1), hash(1)),
            ("", id(2).to_string(), id(2), hash(2)),
            ("bob", "nightly".to_owned(), id(3), hash(3)),
        ]
    );
}

fn all() -> ScanQuery {
    ScanQuery {
        before: None,
        from: None,
        statuses: Vec::new(),
        limit: 100,
        scan: 1_000,
        payloads: true,
    }
}

fn listed(reader: &Arc<dyn Reader>, query: &ScanQuery) -> (Vec<u64>, Option<u64>) {
    let page = reader.scan(query).unwrap();
    let tasks = page.tasks.iter().map(|(row, end)| {
        assert!(end.as_ref().is_none_or(|end| end.id == row.task.id));
        row.seq
    });
    (
        tasks.collect(),
        page.next.map(|task| task.wall_ms() - id(0).wall_ms()),
    )
}

pub(super) fn lists_go_from_new_to_old_within_bounds<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits(1..=200));
    let reader = run.store.reader();
    assert_eq!(
        listed(
            &reader,
            &ScanQuery {
                limit: 1_000,
                ..all()
            }
        ),
        ((1..=200).rev().collect(), None)
    );
    assert_eq!(
        listed(&reader, &ScanQuery { limit: 3, ..all() }),
        (vec![200, 199, 198], Some(198))
    );
    let bounds = ScanQuery {
        before: Some(id(198)),
        from: Some(id(195)),
        ..all()
    };
    assert_eq!(listed(&reader, &bounds), (vec![197, 196, 195], None));
    let few = ScanQuery { scan: 2, ..bounds };
    assert_eq!(listed(&reader, &few), (vec![197, 196], Some(196)));
    let crossed = ScanQuery {
        before: Some(id(5)),
        from: Some(id(9)),
        ..all()
    };
    assert_eq!(listed(&reader, &crossed), (vec![], None));
    assert_eq!(
        listed(&reader, &ScanQuery { limit: 0, ..all() }),
        (vec![], None)
    );
}

pub(super) fn lists_can_be_of_ends<L: Lab>() {
    use TaskStatus::{Cancelled, Completed, Failed, Pending, Timeout};
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits(1..=100));
    run.commit(finals(
        (2..=80).filter(|n| n % 10 != 0),
        TaskStatus::Completed,
    ));
    run.commit(finals([10, 30, 50], TaskStatus::Failed));
    run.commit(finals([20, 40], TaskStatus::Timeout));
    run.commit(finals([60], TaskStatus::Cancelled));
    let reader = run.store.reader();
    let of = |statuses: &[TaskStatus]| ScanQuery {
        statuses: statuses.to_vec(),
        ..all()
    };
    assert_eq!(listed(&reader, &of(&[Failed])), (vec![50, 30, 10], None));
    assert_eq!(
        listed(&reader, &of(&[Timeout, Failed, Cancelled])),
        (vec![60, 50, 40, 30, 20, 10], None)
    );
    let first = ScanQuery {
        limit: 2,
        ..of(&[Timeout, Failed])
    };
    assert_eq!(listed(&reader, &first), (vec![50, 40], Some(40)));
    let second = ScanQuery {
        before: Some(id(40)),
        ..first
    };
    assert_eq!(listed(&reader, &second), (vec![30, 20], Some(20)));
    let completed = ScanQuery {
        limit: 3,
        ..of(&[Completed, Failed])
    };
    assert_eq!(listed(&reader, &completed), (vec![79, 78, 77], Some(77)));
    assert_eq!(listed(&reader, &of(&[Pending])), (vec![], None));
}

pub(super) fn large_pages_end_early<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    for n in 1..=12 {
        let mut row = submit(n);
        row.task.spec = vec![1; 1024 * 1024].into();
        run.commit(vec![Write::Submit(Box::new(row))]);
    }
    let page = run.store.reader().scan(&all()).unwrap();
    assert_eq!((page.tasks.len(), page.next), (8, Some(id(5))));
}

pub(super) fn ten_thousand_tasks_are_one_batch<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits(1..=10_000));
    run.commit(finals(
        (1..=10_000).filter(|n| n % 2 == 0),
        TaskStatus::Completed,
    ));
    drop(run);
    let run = Run::of(&lab);
    let expected: Vec<_> = (1..=10_000)
        .filter(|n| n % 2 == 1)
        .map(without_spec)
        .collect();
    assert_eq!(run.loaded.tasks, expected);
    assert_eq!(run.loaded.last_seq, 10_000);
}

/// New rows of a commit that broke off before its mark.
fn torn<E: Engine>(run: &mut Run<E>) {
    let commit = run.store.committed().unwrap() + 1;
    let mut large = submit(50);
    large.task.spec = vec![5; 100_000].into();
    let mut scattered = super::super::encode::Scattered::default();
    let mut encoder = super::super::encode::Encoder::new(commit, &mut scattered);
    encoder.write(&Write::Submit(Box::new(large)));
    for write in finals([1], TaskStatus::Failed)
        .iter()
        .chain([&Write::Offer(offer(9, 1, 1))])
    {
        encoder.write(write);
    }
    let mut ops = encoder.finish(super::super::record::wire::Mark { last_task_seq: 50 });
    ops.changes.clear();
    ops.commit = commit - 1;
    run.store.engine.apply(ops).unwrap();
}

pub(super) fn a_reader_sees_nothing_that_is_not_committed<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1]));
    torn(&mut run);
    let reader = run.store.reader();
    assert_eq!(reader.submit(id(50)).unwrap(), None);
    assert_eq!(reader.spec(id(50)).unwrap(), None);
    assert_eq!(reader.finished(id(1)).unwrap(), None);
    assert_eq!(listed(&reader, &all()), (vec![1], None));
    let failed = ScanQuery {
        statuses: vec![TaskStatus::Failed],
        ..all()
    };
    assert_eq!(listed(&reader, &failed), (vec![], None));
}

pub(super) fn what_is_left_of_a_torn_batch_is_dropped<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1]));
    let before = rows(&run.store.view, &everything()).len();
    torn(&mut run);
    assert!(rows(&run.store.view, &everything()).len() > before + 4);
    drop(run);

    let mut run = Run::of(&lab);
    assert_eq!(run.loaded.tasks, [without_spec(1)]);
    assert_eq!((run.loaded.offers.len(), run.loaded.last_seq), (0, 1));
    assert_eq!(rows(&run.store.view, &everything()).len(), before);
    run.commit(submits([2]));
    drop(run);
    assert_eq!(Run::of(&lab).loaded.tasks.len(), 2);
}

/// Puts `value` at `at` behind the store's back.
fn put<E: Engine>(run: &mut Run<E>, at: Vec<u8>, value: Vec<u8>) {
    let changes = vec![Change::Put(at, value)];
    run.store
        .engine
        .apply(Ops {
            changes,
            ..Ops::default()
        })
        .unwrap();
}

pub(super) fn damage_is_told_with_the_row<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1, 2]));
    let at = key::task(id(2));
    let mut value = run.store.view.get(&at).unwrap().unwrap().to_vec();
    let last = value.len() - 1;
    value[last] ^= 1;
    put(&mut run, at, value);
    let name = format!("t/{}", id(2));
    let told = |error: StoreError| matches!(error, StoreError::Damaged { key, .. } if key == name);
    assert!(told(run.store.reader().submit(id(2)).unwrap_err()));
    assert!(run.store.reader().submit(id(1)).unwrap().is_some());
    drop(run);
    assert!(told(lab.open().load().unwrap_err()));
}

pub(super) fn a_store_without_its_mark_is_damaged_not_empty<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits([1]));
    let changes = vec![Change::Delete(key::META_COMMIT.to_vec())];
    run.store
        .engine
        .apply(Ops {
            changes,
            ..Ops::default()
        })
        .unwrap();
    drop(run);
    assert!(matches!(lab.open().load(), Err(StoreError::Damaged { key, .. }) if key == "m/commit"));
}

pub(super) fn a_newer_schema_is_refused<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    let at = key::META_SCHEMA.to_vec();
    let newer = super::super::record::wire::Number { value: 2 }.encode_to_vec();
    let value = envelope::seal(&at, 1, false, 8, |to| to.extend_from_slice(&newer));
    put(&mut run, at, value);
    drop(run);
    assert!(matches!(
        lab.open().load(),
        Err(StoreError::Schema {
            found: 2,
            known: 1,
            ..
        })
    ));
}

pub(super) fn an_export_makes_the_same_store_elsewhere<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    let mut large = submit(4);
    large.task.spec = vec![5; 200_000].into();
    run.commit(submits([1, 2, 3]));
    run.commit(vec![Write::Submit(Box::new(large.clone()))]);
    run.commit(everything_else());
    run.commit(finals([3], TaskStatus::Failed));
    torn(&mut run);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.export");
    let count = run.store.export(&file).unwrap();
    assert!(matches!(
        run.store.import(&file),
        Err(StoreError::NotEmpty { .. })
    ));
    drop(run);
    let here = Run::of(&lab).loaded;

    let elsewhere = L::new();
    let mut store = elsewhere.open();
    assert_eq!(store.import(&file).unwrap(), count);
    let mut there = store.load().unwrap();
    assert_eq!(there.epoch, here.epoch);
    there.epoch = here.epoch;
    assert_eq!(there, here);
    assert_eq!(store.reader().submit(id(4)).unwrap(), Some(large));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

pub(super) fn a_damaged_export_is_refused<L: Lab>() {
    let lab = L::new();
    let mut run = Run::of(&lab);
    run.commit(submits(1..=20));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.export");
    run.store.export(&file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        for bytes in [&changed, &whole[..at].to_vec()] {
            std::fs::write(&file, bytes).unwrap();
            let elsewhere = L::new();
            let imported = elsewhere.open().import(&file);
            assert!(
                matches!(imported, Err(StoreError::BadExport { .. })),
                "{at}"
            );
        }
    }
}

/// The suite as tests of one engine.
macro_rules! conformance {
    ($lab:ty; $($claim:ident),+ $(,)?) => {
        $(#[test]
        fn $claim() {
            $crate::store::tests::conformance::$claim::<$lab>();
        })+
    };
    ($lab:ty) => {
        $crate::store::tests::conformance::conformance!($lab;
            what_was_committed_is_found_again,
            every_field_comes_back,
            the_epoch_rises_and_the_cluster_stays,
            only_the_owner_commits_and_only_in_order,
            a_second_opener_is_refused,
            a_reader_ends_with_its_store_and_holds_nothing_open,
            large_specifications_and_payloads_lie_in_chunks,
            rows_of_any_size_are_kept_and_their_chunks_go_with_them,
            what_is_over_is_deleted,
            keys_and_chosen_ids_are_found_again,
            lists_go_from_new_to_old_within_bounds,
            lists_can_be_of_ends,
            large_pages_end_early,
            ten_thousand_tasks_are_one_batch,
            a_reader_sees_nothing_that_is_not_committed,
            what_is_left_of_a_torn_batch_is_dropped,
            damage_is_told_with_the_row,
            a_store_without_its_mark_is_damaged_not_empty,
            a_newer_schema_is_refused,
            an_export_makes_the_same_store_elsewhere,
            a_damaged_export_is_refused,
        );
    };
}
pub(super) use conformance;
