//! What the worker says.

use openclaw_common::id::LeaseId;
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message as Wire;
use prost::Message as _;

use super::result::wire_lease;
use crate::model::Demand;
use crate::state::{HeartbeatPart, Held, HelloPart, LeaseState, Message, Progress};

/// Longest message of a progress in bytes.
const PROGRESS_BYTES: usize = 1_024;

/// What the worker is, as far as its state does not know it.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Version of this build.
    pub build: String,
    /// Made with the data directory.
    pub node_uid: String,
    /// Bound to the uid.
    pub node_secret: bytes::Bytes,
    /// The name it would like.
    pub node_id: String,
    /// A person chose the name.
    pub node_id_explicit: bool,
    /// Changes when the machine starts.
    pub boot_id: String,
    /// Changes when the process starts.
    pub process_id: String,
    /// Process number.
    pub pid: u32,
    /// The machine.
    pub facts: v1::NodeFacts,
    /// Heartbeat interval it is set to, in milliseconds.
    pub heartbeat_interval_ms: u32,
}

/// Hello, the first message of a stream.
pub fn hello(
    part: &HelloPart,
    about: &About,
    load: v1::NodeLoad,
    inventory: v1::Inventory,
) -> v1::ConnectRequest {
    wrap(Wire::Hello(v1::Hello {
        protocol_min: openclaw_proto::PROTOCOL_MIN,
        protocol_max: openclaw_proto::PROTOCOL_MAX,
        features: Vec::new(),
        build: about.build.clone(),
        cluster_id: part
            .cluster
            .map(|cluster| cluster.to_string())
            .unwrap_or_default(),
        node_uid: about.node_uid.clone(),
        node_secret: about.node_secret.clone(),
        node_id: about.node_id.clone(),
        node_id_explicit: about.node_id_explicit,
        boot_id: about.boot_id.clone(),
        process_id: about.process_id.clone(),
        pid: about.pid,
        facts: Some(about.facts.clone()),
        load: Some(load),
        inventory: Some(inventory),
        held: part.held.iter().map(held).collect(),
        seen_epoch: part.seen_epoch,
        slept_ms: part.slept_ms,
        stream_number: part.stream_number,
        heartbeat_interval_ms: about.heartbeat_interval_ms,
    }))
}

/// Any later message. `load` goes into heartbeats, `inventory` into inventories.
pub fn request(
    message: Message,
    load: v1::NodeLoad,
    inventory: impl FnOnce() -> v1::Inventory,
) -> v1::ConnectRequest {
    wrap(match message {
        Message::Pong { nonce } => Wire::Pong(v1::Pong { nonce }),
        Message::Leaving { reason } => Wire::Leaving(v1::Leaving { reason }),
        Message::Released { leases, reason } => Wire::Released(v1::Released {
            leases: wire_leases(leases),
            reason,
        }),
        Message::Heartbeat(part) => Wire::Heartbeat(heartbeat(&part, load)),
        Message::Results(results) => {
            let results = results
                .iter()
                .map(|finished| v1::TaskResult::from(&**finished))
                .collect();
            Wire::Results(v1::Results { results })
        }
        Message::Updates {
            started,
            progress: told,
        } => {
            let progress = told.into_iter().map(progress).collect();
            Wire::Updates(v1::Updates {
                started: wire_leases(started),
                progress,
            })
        }
        Message::Inventory => Wire::Inventory(inventory()),
        Message::Bye { reason } => Wire::Bye(v1::Bye { reason }),
    })
}

/// What the worker offers. Schemas, then descriptions, are left out when all of it would not fit into one message.
pub fn inventory(
    skills: Vec<v1::Skill>,
    tags: Vec<String>,
    pools: &Demand,
    prefetch: u32,
    allow_commands: bool,
) -> v1::Inventory {
    let mut inventory = v1::Inventory {
        skills,
        tags,
        slots_milli: pools.slots_milli,
        pools: Some(v1::Resources {
            cpu_milli: pools.cpu_milli,
            memory_bytes: pools.memory_bytes,
            gpus: pools.gpus,
            custom: pools.custom.clone().into_iter().collect(),
        }),
        prefetch,
        allow_commands,
    };
    for strip in [strip_schemas as fn(&mut v1::Skill), strip_description] {
        if inventory.encoded_len() > openclaw_proto::SOFT_MESSAGE_BYTES {
            inventory.skills.iter_mut().for_each(strip);
        }
    }
    inventory
}

fn strip_schemas(skill: &mut v1::Skill) {
    skill.input_schema.clear();
    skill.output_schema.clear();
}

fn strip_description(skill: &mut v1::Skill) {
    skill.description.clear();
}

fn wrap(message: Wire) -> v1::ConnectRequest {
    v1::ConnectRequest {
        message: Some(message),
    }
}

fn wire_leases(leases: Vec<LeaseId>) -> Vec<v1::Lease> {
    leases.into_iter().map(wire_lease).collect()
}

fn held(held: &Held) -> v1::HeldLease {
    let state = match held.state {
        LeaseState::Queued => v1::LeaseState::Queued,
        LeaseState::Running => v1::LeaseState::Running,
        LeaseState::Finished => v1::LeaseState::Finished,
    };
    v1::HeldLease {
        lease: Some(wire_lease(held.lease)),
        task_id: held.task_id.to_string(),
        state: state.into(),
    }
}

fn heartbeat(part: &HeartbeatPart, load: v1::NodeLoad) -> v1::Heartbeat {
    v1::Heartbeat {
        seq: part.seq,
        seen_offer_seq: part.seen_offer_seq,
        held: part.held.iter().map(held).collect(),
        load: Some(load),
        blocked_milli: part.blocked_milli,
        desired_generation: part.desired_generation,
        paused: false,
    }
}

fn progress((lease, progress): (LeaseId, Progress)) -> v1::ProgressUpdate {
    let mut message = progress.message;
    if message.len() > PROGRESS_BYTES {
        let end = message.floor_char_boundary(PROGRESS_BYTES);
        message.truncate(end);
    }
    let percent = progress
        .percent
        .filter(|percent| percent.is_finite())
        .map(|percent| percent.clamp(0.0, 100.0));
    v1::ProgressUpdate {
        lease: Some(wire_lease(lease)),
        progress: Some(v1::Progress { percent, message }),
    }
}
