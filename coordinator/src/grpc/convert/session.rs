//! What workers send, into the core: sizes bounded, numbers clamped, nothing trusted.

use openclaw_common::code::ErrorCode;
use openclaw_common::id::{LeaseId, check_node_id};
use openclaw_common::status::Outcome;
use openclaw_core::effect::Refusal;
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{AttemptResult, Facts, Heartbeat, Held, Hello, Load, Progress};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message;
use prost::Message as _;

use super::fields::{invalid, too_large};
use super::inventory::{bounded, inventory};
use super::limits::Limits;
use super::words;
use crate::reply::refusal;

/// Leases in one message.
const MAX_LEASES: usize = 100_000;
/// Texts that only people read.
const PEOPLE_BYTES: usize = 1_024;
/// Ids that workers make.
const ID_BYTES: usize = 128;
const SECRET_BYTES: usize = 32;

/// A message as the core takes it, with what is settled without the core.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// For the core.
    pub event: Option<SessionEvent>,
    /// Results that mean nothing to this version: acknowledged, so that the worker forgets them.
    pub ignored_results: Vec<LeaseId>,
    /// Parts that mean nothing to this version.
    pub unknown: usize,
}

/// The first message of a stream.
pub fn hello(hello: v1::Hello) -> Result<Hello, Refusal> {
    if hello.protocol_min == 0 || hello.protocol_max < hello.protocol_min {
        return Err(refusal(
            ErrorCode::FailedPrecondition,
            format!(
                "the worker offers protocols {} to {}, which is no range; this coordinator speaks {} to {}",
                hello.protocol_min,
                hello.protocol_max,
                openclaw_proto::PROTOCOL_MIN,
                openclaw_proto::PROTOCOL_MAX
            ),
        ));
    }
    check_node_id(&hello.node_id).map_err(|error| invalid("node_id", error))?;
    let uid = id("node_uid", &hello.node_uid)?;
    let process_id = id("process_id", &hello.process_id)?;
    if hello.node_secret.len() != SECRET_BYTES {
        return Err(invalid(
            "node_secret",
            format!("must have {SECRET_BYTES} bytes"),
        ));
    }
    let facts = hello.facts.unwrap_or_default();
    let mut unknown = 0;
    Ok(Hello {
        protocol_min: hello.protocol_min,
        protocol_max: hello.protocol_max,
        build: bounded(&hello.build, ID_BYTES),
        // An id that is no id is as good as none: the worker then counts as new to this cluster.
        cluster_id: hello.cluster_id.parse().ok(),
        uid,
        secret_hash: *blake3::hash(&hello.node_secret).as_bytes(),
        name: hello.node_id.into_boxed_str(),
        name_explicit: hello.node_id_explicit,
        boot_id: bounded(&hello.boot_id, ID_BYTES),
        process_id,
        pid: hello.pid,
        facts: facts_of(&facts),
        load: load(hello.load.as_ref()),
        inventory: inventory(hello.inventory.unwrap_or_default())?,
        held: held(&hello.held, &mut unknown)?,
        heartbeat_ms: u64::from(hello.heartbeat_interval_ms),
        stream: hello.stream_number,
    })
}

/// Any later message. A refusal ends the stream.
pub fn inbound(message: Option<Message>, limits: &Limits) -> Result<Inbound, Refusal> {
    let mut found = Inbound::default();
    found.event = match message {
        Some(Message::Hello(_)) => {
            return Err(refusal(
                ErrorCode::InvalidArgument,
                "hello: came twice on one stream",
            ));
        }
        Some(Message::Heartbeat(beat)) => Some(SessionEvent::Heartbeat(heartbeat(
            &beat,
            &mut found.unknown,
        )?)),
        Some(Message::Updates(updates)) => Some(updates_event(&updates, &mut found.unknown)?),
        Some(Message::Results(results)) => results_event(results, limits, &mut found),
        Some(Message::Released(released)) => Some(SessionEvent::Released {
            leases: leases(&released.leases)?,
            reason: bounded(&released.reason, PEOPLE_BYTES),
        }),
        Some(Message::Inventory(found)) => {
            Some(SessionEvent::Inventory(Box::new(inventory(found)?)))
        }
        Some(Message::Leaving(leaving)) => Some(SessionEvent::Leaving {
            reason: bounded(&leaving.reason, PEOPLE_BYTES),
        }),
        Some(Message::Bye(_)) => Some(SessionEvent::Bye),
        Some(Message::GoingToSleep(sleep)) => Some(SessionEvent::GoingToSleep {
            released: leases(&sleep.released)?,
        }),
        Some(Message::Pong(pong)) => Some(SessionEvent::Pong { nonce: pong.nonce }),
        // An arm of a later version.
        None => {
            found.unknown += 1;
            None
        }
    };
    Ok(found)
}

/// A lease; `None` when it is left out.
pub const fn lease(lease: Option<&v1::Lease>) -> Option<LeaseId> {
    match lease {
        Some(lease) => Some(LeaseId {
            epoch: lease.epoch,
            counter: lease.counter,
        }),
        None => None,
    }
}

fn id(field: &str, text: &str) -> Result<Box<str>, Refusal> {
    if text.is_empty() || text.len() > ID_BYTES || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(invalid(
            field,
            format!("must have 1 to {ID_BYTES} printable characters"),
        ));
    }
    Ok(text.into())
}

/// A word of a machine about itself, on one line: it stands in tables and logs.
fn word(text: &str, limit: usize) -> Box<str> {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    bounded(&plain, limit)
}

fn facts_of(facts: &v1::NodeFacts) -> Facts {
    Facts {
        hostname: word(&facts.hostname, 255),
        platform: word(&facts.platform, 32),
        arch: word(&facts.arch, 32),
        ip_address: word(&facts.ip_address, 64),
        tailscale_ip: word(&facts.tailscale_ip, 64),
        port: u16::try_from(facts.port).unwrap_or_default(),
        cpus: facts.cpus,
        memory_bytes: facts.memory_bytes,
        gpus: facts.gpus,
    }
}

fn load(load: Option<&v1::NodeLoad>) -> Load {
    load.map_or_else(Load::default, |load| Load {
        cpu_milli: permille(f64::from(load.cpu_usage)),
        memory_milli: permille(f64::from(load.memory_usage)),
        disk_milli: permille(f64::from(load.disk_usage)),
    })
}

/// Per cent as thousandths, 0 to 1000; what is no number is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1000 first; a NaN becomes 0"
)]
fn permille(percent: f64) -> u16 {
    (percent.clamp(0.0, 100.0) * 10.0).round() as u16
}

fn count(field: &str, count: usize) -> Result<(), Refusal> {
    if count > MAX_LEASES {
        return Err(too_large(field, count, MAX_LEASES, "leases"));
    }
    Ok(())
}

fn leases(listed: &[v1::Lease]) -> Result<Vec<LeaseId>, Refusal> {
    count("leases", listed.len())?;
    Ok(listed.iter().filter_map(|one| lease(Some(one))).collect())
}

fn held(listed: &[v1::HeldLease], unknown: &mut usize) -> Result<Vec<Held>, Refusal> {
    count("held", listed.len())?;
    let mut found = Vec::with_capacity(listed.len());
    for entry in listed {
        let state = v1::LeaseState::try_from(entry.state)
            .ok()
            .and_then(words::from_lease_state);
        match (lease(entry.lease.as_ref()), state) {
            (Some(lease), Some(state)) => found.push(Held { lease, state }),
            _ => *unknown += 1,
        }
    }
    Ok(found)
}

fn heartbeat(beat: &v1::Heartbeat, unknown: &mut usize) -> Result<Heartbeat, Refusal> {
    Ok(Heartbeat {
        seq: beat.seq,
        seen_offer_seq: beat.seen_offer_seq,
        held: held(&beat.held, unknown)?,
        load: load(beat.load.as_ref()),
        blocked_milli: u64::from(beat.blocked_milli),
        paused: beat.paused,
    })
}

fn updates_event(updates: &v1::Updates, unknown: &mut usize) -> Result<SessionEvent, Refusal> {
    count("progress", updates.progress.len())?;
    let mut progress = Vec::with_capacity(updates.progress.len());
    for update in &updates.progress {
        let Some(lease) = lease(update.lease.as_ref()) else {
            *unknown += 1;
            continue;
        };
        let said = update.progress.clone().unwrap_or_default();
        let progress_made = Progress {
            permille: said.percent.map(permille),
            message: bounded(&said.message, PEOPLE_BYTES),
        };
        progress.push((lease, progress_made));
    }
    Ok(SessionEvent::Updates {
        started: leases(&updates.started)?,
        progress,
    })
}

fn results_event(
    results: v1::Results,
    limits: &Limits,
    found: &mut Inbound,
) -> Option<SessionEvent> {
    let mut ended = Vec::with_capacity(results.results.len());
    for result in results.results {
        let Some(lease) = lease(result.lease.as_ref()) else {
            found.unknown += 1;
            continue;
        };
        let outcome = v1::Outcome::try_from(result.outcome).ok();
        if let Some(outcome) = outcome.and_then(words::from_outcome) {
            ended.push(attempt_result(lease, outcome, result, limits));
        } else {
            found.unknown += 1;
            found.ignored_results.push(lease);
        }
    }
    (!ended.is_empty()).then_some(SessionEvent::Results(ended))
}

fn attempt_result(
    lease: LeaseId,
    outcome: Outcome,
    mut result: v1::TaskResult,
    limits: &Limits,
) -> AttemptResult {
    let mut outcome = outcome;
    if let Some(excess) = excess(&result, limits) {
        outcome = Outcome::BadOutput;
        result.result.clear();
        result.outputs.clear();
        let error = result.error.get_or_insert_default();
        error.message = excess;
    }
    let error = result.error.as_ref();
    let exit_code = error.and_then(|error| error.exit_code);
    let message = error.map_or_else(Box::default, |error| bounded(&error.message, PEOPLE_BYTES));
    let run_ms = result.run_ms;
    // The rest is the record for clients; what the core keeps itself is left out of it.
    result.lease = None;
    result.task_id.clear();
    result.outcome = 0;
    AttemptResult {
        lease,
        outcome,
        exit_code,
        message,
        run_ms,
        payload: result.encode_to_vec().into(),
    }
}

/// What is over its limit in a result, as a sentence.
fn excess(result: &v1::TaskResult, limits: &Limits) -> Option<String> {
    if result.result.len() > limits.result {
        return Some(format!(
            "the result has {} bytes; the limit is {}",
            result.result.len(),
            limits.result
        ));
    }
    let outputs = result
        .outputs
        .iter()
        .map(inline_bytes)
        .fold(0, usize::saturating_add);
    (outputs > limits.outputs).then(|| {
        format!(
            "the outputs have {outputs} bytes together; the limit is {}",
            limits.outputs
        )
    })
}

fn inline_bytes(output: &v1::OutputFile) -> usize {
    match &output.content {
        Some(v1::output_file::Content::Inline(content)) => content.len(),
        None => 0,
    }
}
