//! Wire types against core types. Everything that comes from the network is checked here, once, for both faces.
//!
//! Owns: limits, defaults and the meaning of every field. Never: state, waiting, input or output.

mod checks;
mod fields;
mod inventory;
mod limits;
mod nodes;
mod outbound;
mod public;
mod session;
mod spec;
pub mod words;

#[cfg(test)]
mod tests;

pub use fields::{invalid, span, time};
pub use inventory::bounded;
pub use limits::Limits;
pub use nodes::{cluster_skills, explanation, node_counts, node_proto, skill_proto};
pub use outbound::{
    Greeting, desired, lease as wire_lease, result_acks, revoke, verdicts, welcome,
};
pub use public::{notice_state, state_proto, task_proto, task_summary, timestamp};
pub use session::{Inbound, hello, inbound, lease as core_lease};
pub use spec::{new_task, new_tasks};
