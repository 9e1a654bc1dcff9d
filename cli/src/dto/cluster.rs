//! The cluster in one look.

use std::collections::BTreeMap;

use openclaw_proto::v1;
use serde::Serialize;

use super::values::timestamp;

/// The cluster and its coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterDto {
    /// Given when the store was made.
    pub cluster_id: String,
    /// Name for people.
    pub name: String,
    /// Where this command reached the coordinator.
    pub address: String,
    /// Build of the coordinator.
    pub version: String,
    /// Build of this program.
    pub client_version: &'static str,
    /// Raised at each start.
    pub epoch: u64,
    /// When this epoch began.
    pub started_at: Option<String>,
    /// The store engine.
    pub store: String,
    /// What is wrong with the store, while it takes nothing.
    pub trouble: Option<String>,
    /// Tasks that are not final, by state.
    pub tasks: TaskCounts,
    /// Nodes by state.
    pub nodes_by_status: BTreeMap<String, u32>,
    /// Slots of connected nodes.
    pub total_slots: u32,
    /// Of these, taken.
    pub used_slots: u32,
}

/// Tasks that are not final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskCounts {
    /// Waiting.
    pub pending: u64,
    /// Offered.
    pub scheduled: u64,
    /// Running.
    pub running: u64,
}

impl ClusterDto {
    /// From the coordinator's answer, with the address it was asked at.
    pub fn new(cluster: v1::GetClusterResponse, address: String) -> Self {
        Self {
            cluster_id: cluster.cluster_id,
            name: cluster.name,
            address,
            version: cluster.version,
            client_version: env!("CARGO_PKG_VERSION"),
            epoch: cluster.epoch,
            trouble: Some(cluster.trouble).filter(|trouble| !trouble.is_empty()),
            started_at: timestamp(cluster.started_at),
            store: cluster.store,
            tasks: TaskCounts {
                pending: cluster.pending,
                scheduled: cluster.scheduled,
                running: cluster.running,
            },
            nodes_by_status: cluster.nodes_by_status.into_iter().collect(),
            total_slots: cluster.total_slots,
            used_slots: cluster.used_slots,
        }
    }
}
