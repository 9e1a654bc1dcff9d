//! The real program against a coordinator made of answers: a gRPC server in this process that says what a test
//! tells it to say.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where its set-up does"
)]

mod connect;
mod dev;
mod fake;
mod look;
mod program;
mod run;
mod tasks;
