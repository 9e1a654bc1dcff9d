//! Rows come back as they were, whatever is in them; nothing makes decoding panic; the bytes never change unnoticed.

use std::fmt::Write as _;

use bytes::Bytes;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::{
    OnLost, OnSleep, Outcome, Priority, RetryOn, Strategy as Way, TaskStatus, TaskType,
};
use openclaw_common::time::Wall;
use openclaw_core::model::Executor;
use openclaw_core::record::{
    BatchId, FinalRow, Lineage, OfferedAttempt, PastAttempt, StateRow, SubmitRow, Write,
};
use openclaw_core::version::Op;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;

use super::convert::{self, Names};
use super::numbers::Numbered;
use super::{envelope, key, wire};
use crate::store::encode::{Encoder, Scattered};
use crate::store::engine::{Change, Ops};
use crate::store::samples;

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn boxed() -> impl Strategy<Value = Box<str>> {
    text().prop_map(Into::into)
}

fn task_id() -> impl Strategy<Value = TaskId> {
    any::<u128>().prop_map(TaskId)
}

fn lease() -> impl Strategy<Value = LeaseId> {
    any::<(u64, u64)>().prop_map(|(epoch, counter)| LeaseId { epoch, counter })
}

prop_compose! {
    fn submit()(
        numbers in any::<(u64, u64, u128, u128, bool, bool)>(),
        words in (text(), option::of(boxed()), option::of(boxed()), option::of(boxed()), option::of(boxed())),
        lists in (vec(boxed(), 0..3), vec(boxed(), 0..3), vec((boxed(), option::of((select(vec![Op::AtLeast, Op::Above, Op::Exactly, Op::AtMost, Op::Below]), boxed()))), 0..3)),
        pools in (any::<(u64, u64, u64, u64)>(), btree_map(boxed(), any::<u64>(), 0..3)),
        choices in (select(Priority::ALL), select(TaskType::ALL), option::of(select(Way::ALL)), select(OnLost::ALL), select(OnSleep::ALL)),
        limits in any::<(Option<u64>, Option<u64>, Option<u64>, u32, u64, u64, u64)>(),
        endings in (vec(select(RetryOn::ALL), 0..5), vec(any::<i32>(), 0..3)),
        spec in vec(any::<u8>(), 0..100),
    ) -> SubmitRow {
        let mut row = samples::submit(1);
        (row.seq, row.at.0) = (numbers.0, numbers.1);
        row.lineage = limits.0.map(|root| Lineage { root: TaskId(root.into()), depth: limits.3 });
        let task = &mut row.task;
        (task.id, task.body_hash, task.id_given) = (TaskId(numbers.2), numbers.3, numbers.4);
        (task.user, task.key, task.batch) = (words.0.into(), words.1, words.2);
        let required = &mut task.requirements;
        (required.skill, required.node, required.command) = (words.3, words.4, numbers.5);
        (required.tags, required.affinity) = (lists.0, lists.1);
        required.skills = lists.2.into_iter().map(|(name, version)| openclaw_core::version::SkillReq { name, version }).collect();
        required.strategy = choices.2;
        let demand = &mut required.demand;
        (demand.slots_milli, demand.cpu_milli, demand.memory_bytes, demand.gpus) = pools.0;
        demand.custom = pools.1;
        (task.priority, task.kind) = (choices.0, choices.1);
        let policy = &mut task.policy;
        (policy.on_lost, policy.on_sleep) = (choices.3, choices.4);
        (policy.timeout_ms, policy.queue_timeout_ms, policy.max_retries) = (limits.0, limits.1, limits.3);
        (policy.backoff.base_ms, policy.backoff.cap_ms, policy.ttl_ms) = (limits.4, limits.5, limits.6);
        (policy.retry_on, policy.no_retry_on) = endings;
        task.not_before = limits.2.map(Wall);
        task.parent = limits.1.map(|parent| TaskId(parent.into()));
        task.spec = Bytes::from(spec);
        row
    }
}

prop_compose! {
    fn past_attempt()(
        lease in lease(),
        numbers in any::<(u32, u64, Option<u64>, u64, Option<i32>)>(),
        words in (text(), boxed()),
        outcome in option::of(select(Outcome::ALL)),
        code in select(ReasonCode::ALL),
    ) -> PastAttempt {
        PastAttempt {
            number: numbers.0,
            lease,
            node: words.0.into(),
            offered: Wall(numbers.1),
            started: numbers.2.map(Wall),
            ended: Wall(numbers.3),
            outcome,
            code,
            exit_code: numbers.4,
            message: words.1,
        }
    }
}

prop_compose! {
    fn state()(
        id in task_id(),
        numbers in any::<(u32, u32, u32, u32, bool)>(),
        closed in option::of(lease()),
        cancel in option::of(boxed()),
        gate in option::of((select(ReasonCode::ALL), any::<(u64, u64)>())),
        nodes in vec(text(), 0..3),
        attempts in vec(past_attempt(), 0..4),
    ) -> StateRow {
        StateRow {
            id,
            attempt: numbers.0,
            closed,
            retries: numbers.1,
            losses: numbers.2,
            deaths: numbers.3,
            cancel,
            gate: gate.map(|(code, (until, span_ms))| openclaw_core::record::Gate { code, until: Wall(until), span_ms }),
            started_once: numbers.4,
            spawn_failed_on: nodes.into_iter().map(Into::into).collect(),
            attempts,
        }
    }
}

prop_compose! {
    fn ended()(
        id in task_id(),
        status in select(TaskStatus::ALL),
        code in select(ReasonCode::ALL),
        detail in boxed(),
        numbers in any::<(u64, u64, u32, u32, u64, u64, bool)>(),
        attempts in vec(past_attempt(), 0..4),
        payload in vec(any::<u8>(), 0..100),
    ) -> FinalRow {
        FinalRow {
            id,
            status,
            code,
            detail,
            submitted: Wall(numbers.0),
            completed: Wall(numbers.1),
            retries: numbers.2,
            losses: numbers.3,
            attempts,
            run_ms: numbers.4,
            ttl_ms: numbers.5,
            had_state: numbers.6,
            payload: payload.into(),
        }
    }
}

/// Through bytes and back.
fn again<M: Message + Default>(message: &M) -> M {
    M::decode(Bytes::from(message.encode_to_vec())).unwrap()
}

proptest! {
    #[test]
    fn an_accepted_task_comes_back(row in submit()) {
        let sent = again(&convert::submit(&row, row.task.spec.clone(), None));
        let mut names = Names::default();
        prop_assert_eq!(convert::submit_row(row.task.id, sent, &mut names), Ok(row));
    }

    #[test]
    fn a_state_comes_back(row in state()) {
        let sent = again(&convert::state(&row));
        prop_assert_eq!(convert::state_row(row.id, sent, &mut Names::default()), Ok(row));
    }

    #[test]
    fn an_end_comes_back(row in ended()) {
        let sent = again(&convert::ended(&row, row.payload.clone(), None));
        prop_assert_eq!(convert::final_row(row.id, sent, &mut Names::default()), Ok(row));
    }

    #[test]
    fn an_offer_comes_back(offers in vec((task_id(), lease(), any::<(u32, u32)>()), 0..50), id in any::<(u64, u64)>()) {
        let mut row = samples::offer(1, 1, 0);
        row.id = BatchId { epoch: id.0, counter: id.1 };
        row.offers = offers
            .into_iter()
            .map(|(task, lease, (number, losses))| OfferedAttempt { task, lease, number, losses })
            .collect();
        let sent = again(&convert::offer(&row));
        prop_assert_eq!(key::offer_of(&key::offer(row.id)), Ok(row.id));
        prop_assert_eq!(convert::offer_row(row.id, &sent, &mut Names::default()), Ok(row));
    }

    #[test]
    fn a_node_comes_back(name in text(), skills in 0_usize..4, numbers in any::<(u64, u64, u16)>()) {
        let mut row = samples::node(&name, skills);
        (row.last_seen.0, row.run_ms, row.facts.port) = numbers;
        let sent = again(&convert::node(&row));
        let at = key::node(&name);
        prop_assert_eq!(convert::node_row(key::node_of(&at).unwrap(), sent, &mut Names::default()), Ok(row));
    }

    #[test]
    fn a_callers_key_comes_back_and_two_never_meet(a in (text(), text()), b in (text(), text())) {
        let at = key::caller_key(&a.0, &a.1);
        prop_assert_eq!(key::caller_key_of(&at), Ok((a.0.as_str(), a.1.as_str())));
        prop_assert_eq!(at == key::caller_key(&b.0, &b.1), a == b);
    }

    #[test]
    fn keys_sort_as_their_tasks(a in task_id(), b in task_id()) {
        prop_assert_eq!(key::task(a).cmp(&key::task(b)), a.cmp(&b));
        prop_assert_eq!(key::task_of(&key::ended(a)), Ok(a));
    }

    #[test]
    fn no_bytes_make_decoding_panic(at in vec(any::<u8>(), 0..40), value in vec(any::<u8>(), 0..200)) {
        let _ = envelope::open(&at, &value);
        let _ = (key::task_of(&at), key::offer_of(&at), key::caller_key_of(&at), key::node_of(&at), key::shown(&at));
        let (names, id) = (&mut Names::default(), TaskId(1));
        let _ = wire::Submit::decode(value.as_slice()).map(|message| convert::submit_row(id, message, names));
        let _ = wire::Offer::decode(value.as_slice()).map(|message| convert::offer_row(BatchId::default(), &message, names));
        let _ = wire::State::decode(value.as_slice()).map(|message| convert::state_row(id, message, names));
        let _ = wire::Final::decode(value.as_slice()).map(|message| convert::final_row(id, message, names));
        let _ = wire::Node::decode(value.as_slice()).map(|message| convert::node_row("n", message, names));
        let _ = wire::Key::decode(value.as_slice()).map(|message| convert::key_row("u", "k", message, names));
    }

    #[test]
    fn a_row_under_another_key_or_with_another_byte_is_damage(at in 0_usize..60, flip in 1_u8..) {
        let mut value = envelope::seal(b"t/1", 9, false, 50, |to| to.extend_from_slice(&[7; 50]));
        prop_assert_eq!(envelope::open(b"t/1", &value).map(|row| row.commit), Ok(9));
        prop_assert!(envelope::open(b"t/2", &value).is_err());
        value[at] ^= flip;
        prop_assert!(envelope::open(b"t/1", &value).is_err());
    }
}

#[test]
fn every_word_has_a_number_of_its_own() {
    fn check<T: Numbered + Copy + PartialEq + std::fmt::Debug>(words: &[T]) {
        for word in words {
            assert_eq!(T::from_number(word.number()), Some(*word));
        }
        assert_eq!(T::from_number(0), None);
        assert_eq!(T::from_number(u32::MAX), None);
    }
    check(TaskStatus::ALL);
    check(TaskType::ALL);
    check(Priority::ALL);
    check(Way::ALL);
    check(OnLost::ALL);
    check(OnSleep::ALL);
    check(RetryOn::ALL);
    check(Outcome::ALL);
    check(&[Executor::Command, Executor::Builtin, Executor::Agent]);
}

#[test]
fn keys_are_shown_as_people_know_them() {
    let id = samples::id(1);
    assert_eq!(key::shown(&key::task(id)), format!("t/{id}"));
    assert_eq!(
        key::shown(&key::chunk(&key::ended(id), key::Part::Blob, 1, 2)),
        format!("s/ of r/{id}")
    );
    assert_eq!(key::shown(b"n/macbook"), "n/macbook");
    assert_eq!(
        key::shown(&key::offer(BatchId {
            epoch: 0,
            counter: 65
        }))
        .len(),
        "a/".len() + 15 * 4 + 1
    );
}

/// One row of each kind, as text: key and value in hexadecimal, in the order written.
fn golden() -> String {
    let mut large = samples::submit(2);
    large.task.spec = Bytes::from(vec![0xab; 2_049]);
    let writes = [
        Write::Submit(Box::new(samples::full_submit())),
        Write::Submit(Box::new(large)),
        Write::Offer(samples::offer(1, 1, 2)),
        Write::State(Box::new(samples::full_state())),
        Write::Final(Box::new(samples::full_final())),
        Write::Node(Box::new(samples::node("macbook", 1))),
    ];
    let mut scattered = Scattered::default();
    let mut encoder = Encoder::new(258, &mut scattered);
    for write in &writes {
        encoder.write(write);
    }
    let Ops { adds, changes, .. } = encoder.finish(wire::Mark { last_task_seq: 2 });
    let changes = changes.into_iter().map(|change| match change {
        Change::Put(at, value) => (at, value),
        Change::Delete(at) => (at, Vec::new()),
    });
    let mut lines = String::new();
    for (at, value) in adds.into_iter().chain(changes) {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        };
        writeln!(lines, "{} {}", hex(&at), hex(&value)).unwrap();
    }
    lines
}

#[test]
fn the_bytes_of_every_kind_of_row_are_as_they_ever_were() {
    let now = golden();
    let ever = include_str!("golden.txt");
    assert!(
        now == ever,
        "stores written before could not be read; the rows are now:\n{now}"
    );
}
