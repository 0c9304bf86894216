//! Channel bindings: equal on both sides, and equal to what OpenSSL has for the same connection.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

#[path = "channel_binding/foreign.rs"]
mod foreign;
#[path = "channel_binding/in_memory.rs"]
mod in_memory;
#[path = "channel_binding/key_schedule.rs"]
mod key_schedule;
#[path = "channel_binding/tasks.rs"]
mod tasks;
