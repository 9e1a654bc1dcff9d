//! What the core sends to workers, onto the wire.

use openclaw_common::id::{LeaseId, SessionId};
use openclaw_core::effect::{Desired, Verdict, Welcome};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message;

use super::limits::Limits;
use super::words;

/// Leases in one message: about 300 KiB.
const LEASES_PER_MESSAGE: usize = 10_000;

/// What every Welcome says beside what the core decides.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Limits that workers are told.
    pub limits: Limits,
    /// The cluster's name for people.
    pub cluster_name: String,
    /// Version of this build.
    pub build: String,
}

/// A lease on the wire.
pub const fn lease(lease: LeaseId) -> v1::Lease {
    v1::Lease {
        epoch: lease.epoch,
        counter: lease.counter,
    }
}

/// Welcome, and further messages with the verdicts that find no room in it.
pub fn welcome(
    welcome: &Welcome,
    session: SessionId,
    greeting: &Greeting,
) -> impl Iterator<Item = Message> {
    let (first, rest) = welcome
        .verdicts
        .split_at(welcome.verdicts.len().min(LEASES_PER_MESSAGE));
    let rest: Vec<Message> = verdicts(rest).collect();
    let message = Message::Welcome(v1::Welcome {
        protocol: welcome.protocol,
        session_id: session.0,
        cluster_id: welcome.cluster_id.to_string(),
        epoch: welcome.epoch,
        node_id: welcome.node.to_string(),
        heartbeat_interval_ms: ms(welcome.heartbeat_ms),
        suspect_after_ms: ms(welcome.suspect_ms),
        lease_ms: ms(welcome.lease_ms),
        reconnect_spread_ms: ms(welcome.reconnect_spread_ms),
        max_result_bytes: u32::try_from(greeting.limits.result).unwrap_or(u32::MAX),
        max_output_bytes: u32::try_from(greeting.limits.outputs).unwrap_or(u32::MAX),
        verdicts: first.iter().map(one_verdict).collect(),
        desired_state: Some(desired(welcome.desired)),
        build: greeting.build.clone(),
        cluster_name: greeting.cluster_name.clone(),
    });
    std::iter::once(message).chain(rest)
}

/// Verdicts, a bounded number in each message.
pub fn verdicts(verdicts: &[(LeaseId, Verdict)]) -> impl Iterator<Item = Message> {
    verdicts.chunks(LEASES_PER_MESSAGE).map(|chunk| {
        Message::Verdicts(v1::Verdicts {
            verdicts: chunk.iter().map(one_verdict).collect(),
        })
    })
}

/// Acknowledged results, a bounded number in each message.
pub fn result_acks(leases: &[LeaseId]) -> impl Iterator<Item = Message> {
    leases.chunks(LEASES_PER_MESSAGE).map(|chunk| {
        Message::ResultAcks(v1::ResultAcks {
            leases: chunk.iter().copied().map(lease).collect(),
        })
    })
}

/// Revoked attempts, a bounded number in each message.
pub fn revoke(leases: &[LeaseId]) -> impl Iterator<Item = Message> {
    leases.chunks(LEASES_PER_MESSAGE).map(|chunk| {
        Message::Revoke(v1::Revoke {
            leases: chunk.iter().copied().map(lease).collect(),
        })
    })
}

/// What is wanted of a worker.
pub const fn desired(desired: Desired) -> v1::DesiredState {
    v1::DesiredState {
        generation: desired.generation,
        accept: desired.accept,
        drain_deadline_ms: desired.drain_deadline_ms,
    }
}

fn one_verdict((id, verdict): &(LeaseId, Verdict)) -> v1::Verdict {
    let (action, forget) = words::verdict(*verdict);
    v1::Verdict {
        lease: Some(lease(*id)),
        action: action.into(),
        forget,
    }
}

fn ms(span: u64) -> u32 {
    u32::try_from(span).unwrap_or(u32::MAX)
}
