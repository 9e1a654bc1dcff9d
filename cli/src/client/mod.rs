//! Talking to the coordinator: one lazy channel, the token, calls with deadlines, and errors that say which link of
//! the chain broke.

mod bearer;
mod calls;
mod channel;
mod diagnose;
mod probe;

pub use bearer::{FoundToken, Tokens};
pub(crate) use calls::empty_answer;
pub use channel::{Client, has_reason, is_broken};
pub(crate) use probe::http_status;
