//! Wire types of OpenClaw Cluster, made from the files beside this crate, and their reflection descriptor.
//!
//! Owns: the messages and services of `openclaw.cluster.v1`. Never: meaning; what a message does is decided where it
//! is converted (`convert.rs` of the coordinator and of the worker).

#![forbid(unsafe_code)]

/// Package `openclaw.cluster.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::clone_on_ref_ptr,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("openclaw.cluster.v1");
}

/// Lowest protocol version that this build speaks on the worker stream.
pub const PROTOCOL_MIN: u32 = 1;

/// Highest protocol version that this build speaks on the worker stream.
pub const PROTOCOL_MAX: u32 = 1;

/// Largest message accepted on any gRPC stream or call, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Size at which senders begin another message, in bytes.
pub const SOFT_MESSAGE_BYTES: usize = 1024 * 1024;

/// The encoded `FileDescriptorSet` of the package, comments included, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
