//! What JSON output holds: own types with the public field names, so that a change of the wire never changes a script.
//!
//! Every field is always present; what is not known is null. Times are RFC 3339 in UTC, durations are seconds.

mod cluster;
mod node;
mod parts;
mod skill;
mod task;
mod values;
mod words;

#[cfg(test)]
mod tests;

pub use cluster::ClusterDto;
pub use node::{NodeDto, NodeSkillDto};
pub use parts::{
    ErrorDto, ExplainDto, InputDto, OutputDto, ProgressDto, ReasonDto, ResourcesDto, RetryDto,
    StateDto, TransitionDto, VerdictDto,
};
pub use skill::SkillDto;
pub use task::TaskDto;
pub use values::{seconds, seconds_of, since, system_time, timestamp, to_std};
pub use words::{node_status, task_status, task_type_of, to_wire};
