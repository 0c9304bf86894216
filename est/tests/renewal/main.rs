//! Renewal: the state machine under a virtual clock, and the files under every crash.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod clock_steps;
#[cfg(unix)]
mod files;
mod outage;
mod schedule;
mod simulation;
