//! The `openclaw-cluster` program: a client of the coordinator for people, scripts and agents.
//!
//! Owns flags, output, exit codes, and finding address and token by itself. Never holds cluster state; everything it
//! shows comes from the coordinator, and stopping it stops no work.

#![forbid(unsafe_code)]

pub mod address;
pub mod args;
pub mod client;
pub mod dto;
pub mod exit;
pub mod failure;
pub mod find;
pub mod output;
pub mod spec;

mod commands;
mod follow;
mod program;

pub use program::run;
