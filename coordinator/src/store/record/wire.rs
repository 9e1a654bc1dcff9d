//! Messages inside rows, as protocol buffers: fields are added, never renumbered or reused. What the key says is not
//! repeated.

use std::collections::BTreeMap;

use bytes::Bytes;

/// `t/`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Submit {
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) at_ms: u64,
    #[prost(bool, tag = "3")]
    pub(crate) id_given: bool,
    #[prost(string, tag = "4")]
    pub(crate) user: String,
    #[prost(string, optional, tag = "5")]
    pub(crate) key: Option<String>,
    #[prost(message, optional, tag = "6")]
    pub(crate) body_hash: Option<Hash>,
    #[prost(message, optional, tag = "7")]
    pub(crate) requirements: Option<Requirements>,
    #[prost(message, optional, tag = "8")]
    pub(crate) policy: Option<Policy>,
    #[prost(uint32, tag = "9")]
    pub(crate) priority: u32,
    #[prost(uint32, tag = "10")]
    pub(crate) kind: u32,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) not_before_ms: Option<u64>,
    #[prost(string, optional, tag = "12")]
    pub(crate) batch: Option<String>,
    /// The specification, when small.
    #[prost(bytes = "bytes", tag = "13")]
    pub(crate) spec: Bytes,
    /// Where the specification lies, when large.
    #[prost(message, optional, tag = "14")]
    pub(crate) spec_parts: Option<Parts>,
    #[prost(message, optional, tag = "15")]
    pub(crate) parent: Option<Hash>,
    #[prost(message, optional, tag = "16")]
    pub(crate) lineage: Option<Lineage>,
}

/// The place of a task that was submitted from inside another one.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Lineage {
    #[prost(message, optional, tag = "1")]
    pub(crate) root: Option<Hash>,
    #[prost(uint32, tag = "2")]
    pub(crate) depth: u32,
}

/// 128 bits.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Hash {
    #[prost(fixed64, tag = "1")]
    pub(crate) high: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) low: u64,
}

/// Bytes that lie in chunks.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Parts {
    #[prost(uint32, tag = "1")]
    pub(crate) chunks: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Requirements {
    #[prost(string, optional, tag = "1")]
    pub(crate) skill: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) skills: Vec<SkillReq>,
    #[prost(bool, tag = "3")]
    pub(crate) command: bool,
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) node: Option<String>,
    #[prost(message, optional, tag = "6")]
    pub(crate) demand: Option<Pools>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) strategy: Option<u32>,
    #[prost(string, repeated, tag = "8")]
    pub(crate) affinity: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SkillReq {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) op: Option<u32>,
    #[prost(string, tag = "3")]
    pub(crate) version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pools {
    #[prost(uint64, tag = "1")]
    pub(crate) slots_milli: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) cpu_milli: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) memory_bytes: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) gpus: u64,
    #[prost(btree_map = "string, uint64", tag = "5")]
    pub(crate) custom: BTreeMap<String, u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Policy {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) timeout_ms: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) queue_timeout_ms: Option<u64>,
    #[prost(uint32, tag = "3")]
    pub(crate) max_retries: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) backoff_base_ms: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) backoff_cap_ms: u64,
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) retry_on: Vec<u32>,
    #[prost(sint32, repeated, tag = "7")]
    pub(crate) no_retry_on: Vec<i32>,
    #[prost(uint32, tag = "8")]
    pub(crate) on_lost: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) on_sleep: u32,
    #[prost(uint64, tag = "10")]
    pub(crate) ttl_ms: u64,
}

/// `a/`: one column per property, since there may be thousands of attempts.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Offer {
    #[prost(uint64, tag = "1")]
    pub(crate) at_ms: u64,
    #[prost(string, tag = "2")]
    pub(crate) node: String,
    #[prost(string, tag = "3")]
    pub(crate) process_id: String,
    /// 16 bytes each, big-endian.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) tasks: Vec<u8>,
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) lease_epochs: Vec<u64>,
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) lease_counters: Vec<u64>,
    #[prost(uint32, repeated, tag = "7")]
    pub(crate) numbers: Vec<u32>,
    #[prost(uint32, repeated, tag = "8")]
    pub(crate) losses: Vec<u32>,
}

/// `h/`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct State {
    #[prost(uint32, tag = "1")]
    pub(crate) attempt: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) closed: Option<Lease>,
    #[prost(uint32, tag = "3")]
    pub(crate) retries: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) losses: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) deaths: u32,
    #[prost(string, optional, tag = "6")]
    pub(crate) cancel: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub(crate) gate: Option<Gate>,
    #[prost(bool, tag = "8")]
    pub(crate) started_once: bool,
    #[prost(string, repeated, tag = "9")]
    pub(crate) spawn_failed_on: Vec<String>,
    #[prost(message, repeated, tag = "10")]
    pub(crate) attempts: Vec<PastAttempt>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Lease {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) counter: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Gate {
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    #[prost(uint64, tag = "2")]
    pub(crate) until_ms: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) span_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PastAttempt {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) lease: Option<Lease>,
    #[prost(string, tag = "3")]
    pub(crate) node: String,
    #[prost(uint64, tag = "4")]
    pub(crate) offered_ms: u64,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) started_ms: Option<u64>,
    #[prost(uint64, tag = "6")]
    pub(crate) ended_ms: u64,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) outcome: Option<u32>,
    #[prost(string, tag = "8")]
    pub(crate) code: String,
    #[prost(sint32, optional, tag = "9")]
    pub(crate) exit_code: Option<i32>,
    #[prost(string, tag = "10")]
    pub(crate) message: String,
}

/// `r/`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Final {
    #[prost(uint32, tag = "1")]
    pub(crate) status: u32,
    #[prost(string, tag = "2")]
    pub(crate) code: String,
    #[prost(string, tag = "3")]
    pub(crate) detail: String,
    #[prost(uint64, tag = "4")]
    pub(crate) submitted_ms: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) completed_ms: u64,
    #[prost(uint32, tag = "6")]
    pub(crate) retries: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) losses: u32,
    #[prost(message, repeated, tag = "8")]
    pub(crate) attempts: Vec<PastAttempt>,
    #[prost(uint64, tag = "9")]
    pub(crate) run_ms: u64,
    #[prost(uint64, tag = "10")]
    pub(crate) ttl_ms: u64,
    #[prost(bool, tag = "11")]
    pub(crate) had_state: bool,
    /// The payload, when small.
    #[prost(bytes = "bytes", tag = "12")]
    pub(crate) payload: Bytes,
    /// Where the payload lies, when large.
    #[prost(message, optional, tag = "13")]
    pub(crate) payload_parts: Option<Parts>,
}

/// `k/`
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Key {
    #[prost(message, optional, tag = "1")]
    pub(crate) task: Option<Hash>,
    #[prost(message, optional, tag = "2")]
    pub(crate) body_hash: Option<Hash>,
}

/// `n/`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Node {
    #[prost(string, tag = "1")]
    pub(crate) uid: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) secret_hash: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) process_id: String,
    #[prost(string, tag = "4")]
    pub(crate) build: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) facts: Option<Facts>,
    #[prost(message, optional, tag = "6")]
    pub(crate) inventory: Option<Inventory>,
    #[prost(uint64, tag = "7")]
    pub(crate) registered_ms: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) last_seen_ms: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) succeeded: u64,
    #[prost(uint64, tag = "10")]
    pub(crate) failed: u64,
    #[prost(uint64, tag = "11")]
    pub(crate) run_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Facts {
    #[prost(string, tag = "1")]
    pub(crate) hostname: String,
    #[prost(string, tag = "2")]
    pub(crate) platform: String,
    #[prost(string, tag = "3")]
    pub(crate) arch: String,
    #[prost(string, tag = "4")]
    pub(crate) ip_address: String,
    #[prost(string, tag = "5")]
    pub(crate) tailscale_ip: String,
    #[prost(uint32, tag = "6")]
    pub(crate) port: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) cpus: u32,
    #[prost(uint64, tag = "8")]
    pub(crate) memory_bytes: u64,
    #[prost(uint32, tag = "9")]
    pub(crate) gpus: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Inventory {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) skills: BTreeMap<String, Skill>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) tags: Vec<String>,
    #[prost(message, optional, tag = "3")]
    pub(crate) pools: Option<Pools>,
    #[prost(uint32, tag = "4")]
    pub(crate) prefetch: u32,
    #[prost(bool, tag = "5")]
    pub(crate) allow_commands: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Skill {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
    #[prost(string, tag = "3")]
    pub(crate) category: String,
    #[prost(string, tag = "4")]
    pub(crate) description: String,
    #[prost(string, repeated, tag = "5")]
    pub(crate) tags: Vec<String>,
    #[prost(string, tag = "6")]
    pub(crate) content_hash: String,
    #[prost(uint32, tag = "7")]
    pub(crate) executor: u32,
    #[prost(string, tag = "8")]
    pub(crate) input_schema: String,
    #[prost(string, tag = "9")]
    pub(crate) output_schema: String,
    #[prost(string, repeated, tag = "10")]
    pub(crate) dependencies: Vec<String>,
    #[prost(bool, tag = "11")]
    pub(crate) eligible: bool,
    #[prost(string, repeated, tag = "12")]
    pub(crate) reasons: Vec<String>,
    #[prost(bool, tag = "13")]
    pub(crate) costs_money: bool,
}

/// `m/schema`, `m/epoch`
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Number {
    #[prost(uint64, tag = "1")]
    pub(crate) value: u64,
}

/// `m/commit`: the commit is the one of the row itself.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Mark {
    /// Highest `seq` of any accepted task.
    #[prost(uint64, tag = "1")]
    pub(crate) last_task_seq: u64,
}
