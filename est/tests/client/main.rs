//! The client: its state machine without I/O, what it makes of the servers in the field, and its connections.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod authority;
mod exchange;
mod operations;
mod rollover;
mod scripted;
mod session;
mod traps;
