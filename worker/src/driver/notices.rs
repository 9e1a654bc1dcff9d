//! What the state thinks people should know, in the log.

use crate::state::Notice;

/// Tells the same trouble once, not at every try.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// What was said last about a stream that cannot be had.
    trouble: Option<String>,
}

impl Notices {
    pub(super) fn tell(&mut self, notice: &Notice) {
        match notice {
            Notice::Connected {
                node_id,
                cluster,
                cluster_name,
                epoch,
                session,
                build,
            } => {
                self.trouble = None;
                tracing::info!(%node_id, %cluster, cluster_name, epoch, session = session.0, coordinator = build, "connected");
            }
            Notice::Disconnected {
                detail,
                retry_in_ms,
            } => self.disconnected(detail, *retry_in_ms),
            Notice::OldEpoch { .. }
            | Notice::OtherCluster { .. }
            | Notice::Wedged { .. }
            | Notice::Superseded { .. } => {
                alarm(notice);
            }
            Notice::CoordinatorDrains {
                reason,
                come_back_after_ms,
            } => {
                tracing::info!(
                    reason,
                    come_back_after_ms,
                    "the coordinator goes away for a while"
                );
            }
            Notice::DesiredChanged {
                accept,
                drain_deadline_ms,
            } => {
                tracing::info!(
                    accept,
                    drain_deadline_ms,
                    "the coordinator changed what it wants of this node"
                );
            }
            Notice::Slept { gap_ms } => {
                tracing::info!(gap_ms, "the machine slept, or its clock was set");
            }
            Notice::Stopping {
                reason,
                running,
                drain_ms,
            } => {
                tracing::info!(
                    reason,
                    running,
                    drain_ms,
                    "stopping; a second request stops at once"
                );
            }
            Notice::QueueFull { refused } => {
                tracing::warn!(
                    refused,
                    "more tasks were offered than can be held, and given back"
                );
            }
        }
    }

    fn disconnected(&mut self, detail: &str, retry_in_ms: Option<u64>) {
        let Some(retry_in_ms) = retry_in_ms else {
            tracing::error!(detail, "no connection, and none will be tried again");
            return;
        };
        if self.trouble.as_deref() == Some(detail) {
            tracing::debug!(detail, retry_in_ms, "still no connection");
        } else {
            tracing::warn!(
                detail,
                retry_in_ms,
                "no connection; trying again until there is one"
            );
            self.trouble = Some(detail.to_owned());
        }
    }
}

/// What needs a human.
fn alarm(notice: &Notice) {
    match notice {
        Notice::OldEpoch {
            cluster,
            epoch,
            seen,
        } => tracing::error!(
            %cluster, epoch, seen,
            "the coordinator is older than one seen before: was its store restored from an old copy, or does a second \
             coordinator run? Its tasks are refused"
        ),
        Notice::OtherCluster {
            before,
            now,
            killed,
            results,
        } => tracing::warn!(
            %before, %now, killed, results,
            "the coordinator serves another cluster: what ran for the former is ended, its results are put aside"
        ),
        Notice::Wedged { lease, task_id } => tracing::error!(
            %lease, %task_id,
            "a task cannot be ended; its slot stays taken until its processes are gone: look for them on this machine"
        ),
        Notice::Superseded { by } => {
            tracing::error!(
                by,
                "another process took over this node's identity; this one ends and stays away"
            );
        }
        _ => {}
    }
}
