//! Whether waiting for a node makes sense at all.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;
use openclaw_proto::v1;

use crate::dto;

/// Whether no connected node could ever take the task as things stand: each has a reason that does not pass by
/// itself. A busy node, a backoff or a restart pass.
pub(super) fn is_unplaceable(explained: &v1::ExplainTaskResponse) -> bool {
    let state = explained.state.as_ref();
    let pending =
        state.and_then(|state| dto::task_status(state.status)) == Some(TaskStatus::Pending);
    let gated = state
        .and_then(|state| state.reason.as_ref())
        .is_some_and(|reason| {
            let code = ReasonCode::parse(&reason.code);
            matches!(
                code,
                Some(
                    ReasonCode::NotBefore
                        | ReasonCode::Backoff
                        | ReasonCode::Recovering
                        | ReasonCode::Cancelling
                )
            )
        });
    pending
        && !gated
        && explained
            .nodes
            .iter()
            .all(|node| !node.eligible && node.reasons.iter().any(lasts))
}

/// A reason that needs somebody to do something: install, connect, wake, uncordon, change the task.
fn lasts(reason: &v1::Reason) -> bool {
    matches!(
        ReasonCode::parse(&reason.code),
        Some(
            ReasonCode::NoNodeWithSkill
                | ReasonCode::SkillIneligible
                | ReasonCode::NodeOffline
                | ReasonCode::NodeAsleep
                | ReasonCode::NodeError
                | ReasonCode::TagMismatch
                | ReasonCode::Cordoned
                | ReasonCode::Paused
                | ReasonCode::Version
        )
    )
}

/// Every node with its first lasting reason, for the error.
pub(super) fn summary(explained: &v1::ExplainTaskResponse) -> String {
    if explained.nodes.is_empty() {
        return "no node has joined".to_owned();
    }
    let of = |node: &v1::NodeVerdict| {
        let why = node.reasons.iter().find(|reason| lasts(reason));
        let text = why.map_or("", |reason| {
            if reason.detail.is_empty() {
                &reason.code
            } else {
                &reason.detail
            }
        });
        format!("{}: {text}", node.node_id)
    };
    explained
        .nodes
        .iter()
        .map(of)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(status: v1::TaskStatus, nodes: &[(&str, &[&str])]) -> v1::ExplainTaskResponse {
        let reason = |code: &&str| v1::Reason {
            code: (*code).to_owned(),
            detail: String::new(),
        };
        let verdict = |(name, codes): &(&str, &[&str])| v1::NodeVerdict {
            node_id: (*name).to_owned(),
            eligible: codes.is_empty(),
            reasons: codes.iter().map(reason).collect(),
        };
        v1::ExplainTaskResponse {
            state: Some(v1::TaskState {
                status: status as i32,
                ..v1::TaskState::default()
            }),
            nodes: nodes.iter().map(verdict).collect(),
            ..v1::ExplainTaskResponse::default()
        }
    }

    #[test]
    fn what_passes_by_itself_is_worth_waiting_for() {
        use v1::TaskStatus::{Pending, Running};
        assert!(is_unplaceable(&explained(Pending, &[])));
        assert!(is_unplaceable(&explained(
            Pending,
            &[
                ("a", &["SKILL_INELIGIBLE"]),
                ("b", &["NODE_BUSY", "NODE_OFFLINE"])
            ]
        )));
        assert!(!is_unplaceable(&explained(
            Pending,
            &[("a", &["SKILL_INELIGIBLE"]), ("b", &["NODE_BUSY"])]
        )));
        assert!(!is_unplaceable(&explained(Pending, &[("a", &[])])));
        assert!(!is_unplaceable(&explained(
            Running,
            &[("a", &["NODE_OFFLINE"])]
        )));
        assert_eq!(
            summary(&explained(Pending, &[("a", &["NODE_BUSY", "PAUSED"])])),
            "a: PAUSED"
        );
    }
}
