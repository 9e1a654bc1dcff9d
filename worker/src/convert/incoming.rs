//! What the coordinator says.

use openclaw_common::id::{ClusterId, LeaseId, SessionId};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message as Wire;

use super::spec;
use crate::state::{Desired, Event, Verdict, VerdictAction, Welcome};

/// Something without which one cannot go on and that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {message} cannot be read: {what}")]
pub struct Malformed {
    message: &'static str,
    what: String,
}

impl Malformed {
    pub(super) fn of(message: &'static str, what: String) -> Self {
        Self { message, what }
    }
}

/// One message as an event. `None` for arms that this build does not know, and for those without content.
pub fn event(response: v1::ConnectResponse) -> Result<Option<Event>, Malformed> {
    let Some(message) = response.message else {
        return Ok(None);
    };
    Ok(Some(match message {
        Wire::Welcome(welcome) => Event::Welcomed(Box::new(Welcome::try_from(welcome)?)),
        Wire::Offers(v1::Offers {
            offer_seq,
            offers,
            more,
        }) => {
            let offers = offers.into_iter().filter_map(spec::job).collect();
            Event::Offers {
                seq: offer_seq,
                offers,
                more,
            }
        }
        Wire::HeartbeatAck(v1::HeartbeatAck { seq }) => Event::HeartbeatAcked { seq },
        Wire::Verdicts(v1::Verdicts { verdicts }) => Event::Verdicts(known_verdicts(verdicts)),
        Wire::ResultAcks(v1::ResultAcks { leases }) => Event::ResultAcks(known_leases(leases)),
        Wire::Revoke(v1::Revoke { leases }) => Event::Revoked(known_leases(leases)),
        Wire::DesiredState(desired) => Event::Desired(desired.into()),
        Wire::LeavingAck(v1::LeavingAck { last_offer_seq }) => {
            Event::LeavingAcked { last_offer_seq }
        }
        Wire::Draining(v1::Draining {
            come_back_after_ms,
            reason,
        }) => Event::Draining {
            come_back_after_ms: come_back_after_ms.into(),
            reason,
        },
        Wire::Superseded(v1::Superseded { by }) => Event::Superseded { by },
        Wire::Ping(v1::Ping { nonce }) => Event::Pinged { nonce },
    }))
}

impl TryFrom<v1::Welcome> for Welcome {
    type Error = Malformed;

    fn try_from(wire: v1::Welcome) -> Result<Self, Malformed> {
        let wrong = |what: String| Malformed {
            message: "welcome",
            what,
        };
        let cluster: ClusterId = wire
            .cluster_id
            .parse()
            .map_err(|error| wrong(format!("cluster_id: {error}")))?;
        let positive = |field: &str, value: u32| match value {
            0 => Err(wrong(format!("{field} is 0"))),
            value => Ok(u64::from(value)),
        };
        let heartbeat_interval_ms = positive("heartbeat_interval_ms", wire.heartbeat_interval_ms)?;
        let suspect_after_ms = positive("suspect_after_ms", wire.suspect_after_ms)?;
        let lease_ms = positive("lease_ms", wire.lease_ms)?;
        if !(openclaw_proto::PROTOCOL_MIN..=openclaw_proto::PROTOCOL_MAX).contains(&wire.protocol) {
            return Err(wrong(format!(
                "protocol {} is none that this worker speaks",
                wire.protocol
            )));
        }
        Ok(Self {
            protocol: wire.protocol,
            session_id: SessionId(wire.session_id),
            cluster,
            cluster_name: wire.cluster_name,
            epoch: wire.epoch,
            node_id: wire.node_id,
            heartbeat_interval_ms,
            suspect_after_ms,
            lease_ms,
            reconnect_spread_ms: wire.reconnect_spread_ms.into(),
            max_result_bytes: wire.max_result_bytes.into(),
            max_output_bytes: wire.max_output_bytes.into(),
            verdicts: known_verdicts(wire.verdicts),
            // A coordinator that says nothing wants what every worker does by itself.
            desired: wire.desired_state.map(Desired::from).unwrap_or_default(),
            build: wire.build,
        })
    }
}

impl From<v1::DesiredState> for Desired {
    fn from(wire: v1::DesiredState) -> Self {
        Self {
            generation: wire.generation,
            accept: wire.accept,
            drain_deadline_ms: wire.drain_deadline_ms,
        }
    }
}

/// A lease; `None` when it is absent or 0.0, which names nothing.
pub fn lease(wire: Option<v1::Lease>) -> Option<LeaseId> {
    let wire = wire?;
    (wire.epoch > 0 || wire.counter > 0).then_some(LeaseId {
        epoch: wire.epoch,
        counter: wire.counter,
    })
}

fn known_leases(wire: Vec<v1::Lease>) -> Vec<LeaseId> {
    wire.into_iter()
        .filter_map(|wire| lease(Some(wire)))
        .collect()
}

/// Verdicts whose action this build knows. An unknown one is no reason to end anything.
fn known_verdicts(wire: Vec<v1::Verdict>) -> Vec<Verdict> {
    let known = |verdict: v1::Verdict| {
        let action = match verdict.action() {
            v1::VerdictAction::Unspecified => return None,
            v1::VerdictAction::Resume => VerdictAction::Resume,
            v1::VerdictAction::Kill => VerdictAction::Kill {
                forget: verdict.forget,
            },
            v1::VerdictAction::SendResult => VerdictAction::SendResult,
            v1::VerdictAction::Forget => VerdictAction::Forget,
        };
        Some(Verdict {
            lease: lease(verdict.lease)?,
            action,
        })
    };
    wire.into_iter().filter_map(known).collect()
}
