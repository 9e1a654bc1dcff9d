//! Rows between the core's types and messages. A large specification or payload is left out of the message here;
//! the caller puts it into chunks and fills in where they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use openclaw_common::code::ReasonCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::time::Wall;
use openclaw_core::model::NewTask;
use openclaw_core::record::{
    BatchId, FinalRow, Gate, KeyRow, Lineage, NodeRow, OfferRow, OfferedAttempt, PastAttempt,
    StateRow, SubmitRow,
};

use super::model::{facts, inventory, policy, requirements};
use super::numbers::{Numbered, word};
use super::{Invalid, wire};

/// Names that many rows share, kept once.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<Arc<str>>);

impl Names {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// A 128-bit number in a message.
pub(crate) fn hash(number: u128) -> wire::Hash {
    let [high, low] = [number >> 64, number & u128::from(u64::MAX)];
    // Both halves are below 2^64.
    wire::Hash {
        high: u64::try_from(high).unwrap_or(u64::MAX),
        low: u64::try_from(low).unwrap_or(u64::MAX),
    }
}

/// The number back.
pub(crate) fn number(hash: Option<wire::Hash>) -> Result<u128, Invalid> {
    let hash = hash.ok_or(Invalid::new("a number is missing"))?;
    Ok(u128::from(hash.high) << 64 | u128::from(hash.low))
}

fn code(text: &str) -> Result<ReasonCode, Invalid> {
    ReasonCode::parse(text).ok_or_else(|| Invalid(format!("unknown reason {text:?}").into()))
}

/// `t/`, with `spec` in place of the task's own.
pub(crate) fn submit(
    row: &SubmitRow,
    spec: Bytes,
    spec_parts: Option<wire::Parts>,
) -> wire::Submit {
    let task = &row.task;
    wire::Submit {
        seq: row.seq,
        at_ms: row.at.0,
        id_given: task.id_given,
        user: task.user.to_string(),
        key: task.key.as_deref().map(str::to_owned),
        body_hash: Some(hash(task.body_hash)),
        requirements: Some(requirements(&task.requirements)),
        policy: Some(policy(&task.policy)),
        priority: task.priority.number(),
        kind: task.kind.number(),
        not_before_ms: task.not_before.map(|at| at.0),
        batch: task.batch.as_deref().map(str::to_owned),
        spec,
        spec_parts,
        parent: task.parent.map(|parent| hash(parent.0)),
        lineage: row.lineage.map(|lineage| wire::Lineage {
            root: Some(hash(lineage.root.0)),
            depth: lineage.depth,
        }),
    }
}

/// `t/` back; the specification is what the message holds of it.
pub(crate) fn submit_row(
    id: TaskId,
    from: wire::Submit,
    names: &mut Names,
) -> Result<SubmitRow, Invalid> {
    let required = from.requirements.ok_or(Invalid::new("no requirements"))?;
    let policy = from.policy.ok_or(Invalid::new("no policy"))?;
    Ok(SubmitRow {
        seq: from.seq,
        at: Wall(from.at_ms),
        task: NewTask {
            id,
            id_given: from.id_given,
            user: names.shared(&from.user),
            key: from.key.map(Into::into),
            body_hash: number(from.body_hash)?,
            requirements: required.try_into()?,
            policy: policy.try_into()?,
            priority: word(from.priority, "priority")?,
            kind: word(from.kind, "task type")?,
            not_before: from.not_before_ms.map(Wall),
            batch: from.batch.map(Into::into),
            parent: from
                .parent
                .map(|parent| number(Some(parent)))
                .transpose()?
                .map(TaskId),
            spec: from.spec,
        },
        lineage: from.lineage.map(lineage).transpose()?,
    })
}

fn lineage(from: wire::Lineage) -> Result<Lineage, Invalid> {
    Ok(Lineage {
        root: TaskId(number(from.root)?),
        depth: from.depth,
    })
}

/// `a/`
pub(crate) fn offer(row: &OfferRow) -> wire::Offer {
    let column = |read: fn(&OfferedAttempt) -> u32| row.offers.iter().map(read).collect();
    wire::Offer {
        at_ms: row.at.0,
        node: row.node.to_string(),
        process_id: row.process_id.to_string(),
        tasks: row
            .offers
            .iter()
            .flat_map(|offer| offer.task.0.to_be_bytes())
            .collect(),
        lease_epochs: row.offers.iter().map(|offer| offer.lease.epoch).collect(),
        lease_counters: row.offers.iter().map(|offer| offer.lease.counter).collect(),
        numbers: column(|offer| offer.number),
        losses: column(|offer| offer.losses),
    }
}

/// `a/` back.
pub(crate) fn offer_row(
    id: BatchId,
    from: &wire::Offer,
    names: &mut Names,
) -> Result<OfferRow, Invalid> {
    let (tasks, rest) = from.tasks.as_chunks::<16>();
    let count = tasks.len();
    let lengths = [
        from.lease_epochs.len(),
        from.lease_counters.len(),
        from.numbers.len(),
        from.losses.len(),
    ];
    if !rest.is_empty() || lengths != [count; 4] {
        return Err(Invalid::new("columns of different length"));
    }
    let leases = from.lease_epochs.iter().zip(&from.lease_counters);
    let counts = from.numbers.iter().zip(&from.losses);
    let offers = tasks.iter().zip(leases).zip(counts);
    Ok(OfferRow {
        id,
        at: Wall(from.at_ms),
        node: names.shared(&from.node),
        process_id: names.shared(&from.process_id),
        offers: offers
            .map(
                |((task, (&epoch, &counter)), (&number, &losses))| OfferedAttempt {
                    task: TaskId(u128::from_be_bytes(*task)),
                    lease: LeaseId { epoch, counter },
                    number,
                    losses,
                },
            )
            .collect(),
    })
}

fn lease(from: LeaseId) -> wire::Lease {
    wire::Lease {
        epoch: from.epoch,
        counter: from.counter,
    }
}

fn lease_id(from: wire::Lease) -> LeaseId {
    LeaseId {
        epoch: from.epoch,
        counter: from.counter,
    }
}

/// `h/`
pub(crate) fn state(row: &StateRow) -> wire::State {
    wire::State {
        attempt: row.attempt,
        closed: row.closed.map(lease),
        retries: row.retries,
        losses: row.losses,
        deaths: row.deaths,
        cancel: row.cancel.as_deref().map(str::to_owned),
        gate: row.gate.map(|gate| wire::Gate {
            code: gate.code.as_str().to_owned(),
            until_ms: gate.until.0,
            span_ms: gate.span_ms,
        }),
        started_once: row.started_once,
        spawn_failed_on: row
            .spawn_failed_on
            .iter()
            .map(ToString::to_string)
            .collect(),
        attempts: row.attempts.iter().map(attempt).collect(),
    }
}

/// `h/` back.
pub(crate) fn state_row(
    id: TaskId,
    from: wire::State,
    names: &mut Names,
) -> Result<StateRow, Invalid> {
    let gate = |gate: wire::Gate| -> Result<Gate, Invalid> {
        Ok(Gate {
            code: code(&gate.code)?,
            until: Wall(gate.until_ms),
            span_ms: gate.span_ms,
        })
    };
    Ok(StateRow {
        id,
        attempt: from.attempt,
        closed: from.closed.map(lease_id),
        retries: from.retries,
        losses: from.losses,
        deaths: from.deaths,
        cancel: from.cancel.map(Into::into),
        gate: from.gate.map(gate).transpose()?,
        started_once: from.started_once,
        spawn_failed_on: from
            .spawn_failed_on
            .iter()
            .map(|node| names.shared(node))
            .collect(),
        attempts: past_attempts(from.attempts, names)?,
    })
}

fn attempt(from: &PastAttempt) -> wire::PastAttempt {
    wire::PastAttempt {
        number: from.number,
        lease: Some(lease(from.lease)),
        node: from.node.to_string(),
        offered_ms: from.offered.0,
        started_ms: from.started.map(|at| at.0),
        ended_ms: from.ended.0,
        outcome: from.outcome.map(Numbered::number),
        code: from.code.as_str().to_owned(),
        exit_code: from.exit_code,
        message: from.message.to_string(),
    }
}

fn past_attempts(
    from: Vec<wire::PastAttempt>,
    names: &mut Names,
) -> Result<Vec<PastAttempt>, Invalid> {
    let one = |from: wire::PastAttempt| {
        Ok(PastAttempt {
            number: from.number,
            lease: lease_id(from.lease.ok_or(Invalid::new("an attempt without lease"))?),
            node: names.shared(&from.node),
            offered: Wall(from.offered_ms),
            started: from.started_ms.map(Wall),
            ended: Wall(from.ended_ms),
            outcome: from
                .outcome
                .map(|number| word(number, "outcome"))
                .transpose()?,
            code: code(&from.code)?,
            exit_code: from.exit_code,
            message: from.message.into(),
        })
    };
    from.into_iter().map(one).collect()
}

/// `r/`, with `payload` in place of the row's own.
pub(crate) fn ended(
    row: &FinalRow,
    payload: Bytes,
    payload_parts: Option<wire::Parts>,
) -> wire::Final {
    wire::Final {
        status: row.status.number(),
        code: row.code.as_str().to_owned(),
        detail: row.detail.to_string(),
        submitted_ms: row.submitted.0,
        completed_ms: row.completed.0,
        retries: row.retries,
        losses: row.losses,
        attempts: row.attempts.iter().map(attempt).collect(),
        run_ms: row.run_ms,
        ttl_ms: row.ttl_ms,
        had_state: row.had_state,
        payload,
        payload_parts,
    }
}

/// `r/` back; the payload is what the message holds of it.
pub(crate) fn final_row(
    id: TaskId,
    from: wire::Final,
    names: &mut Names,
) -> Result<FinalRow, Invalid> {
    Ok(FinalRow {
        id,
        status: word(from.status, "task status")?,
        code: code(&from.code)?,
        detail: from.detail.into(),
        submitted: Wall(from.submitted_ms),
        completed: Wall(from.completed_ms),
        retries: from.retries,
        losses: from.losses,
        attempts: past_attempts(from.attempts, names)?,
        run_ms: from.run_ms,
        ttl_ms: from.ttl_ms,
        had_state: from.had_state,
        payload: from.payload,
    })
}

/// `k/`
pub(crate) fn caller_key(task: TaskId, body_hash: u128) -> wire::Key {
    wire::Key {
        task: Some(hash(task.0)),
        body_hash: Some(hash(body_hash)),
    }
}

/// `k/` back.
pub(crate) fn key_row(
    user: &str,
    key: &str,
    from: wire::Key,
    names: &mut Names,
) -> Result<KeyRow, Invalid> {
    Ok(KeyRow {
        user: names.shared(user),
        key: key.into(),
        task: TaskId(number(from.task)?),
        body_hash: number(from.body_hash)?,
    })
}

/// `n/`
pub(crate) fn node(row: &NodeRow) -> wire::Node {
    wire::Node {
        uid: row.uid.to_string(),
        secret_hash: row.secret_hash.to_vec(),
        process_id: row.process_id.to_string(),
        build: row.build.to_string(),
        facts: Some(facts(&row.facts)),
        inventory: Some(inventory(&row.inventory)),
        registered_ms: row.registered.0,
        last_seen_ms: row.last_seen.0,
        succeeded: row.succeeded,
        failed: row.failed,
        run_ms: row.run_ms,
    }
}

/// `n/` back.
pub(crate) fn node_row(
    name: &str,
    from: wire::Node,
    names: &mut Names,
) -> Result<NodeRow, Invalid> {
    let secret = from.secret_hash.as_slice().try_into();
    Ok(NodeRow {
        name: names.shared(name),
        uid: from.uid.into(),
        secret_hash: secret.map_err(|_| Invalid::new("a secret's hash of a wrong length"))?,
        process_id: names.shared(&from.process_id),
        build: from.build.into(),
        facts: from.facts.unwrap_or_default().try_into()?,
        inventory: Arc::new(from.inventory.unwrap_or_default().try_into()?),
        registered: Wall(from.registered_ms),
        last_seen: Wall(from.last_seen_ms),
        succeeded: from.succeeded,
        failed: from.failed,
        run_ms: from.run_ms,
    })
}
