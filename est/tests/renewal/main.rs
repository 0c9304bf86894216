//! Renewal: the state machine and the daemon under virtual clocks, the files under every crash, and the daemon against
//! a server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[cfg(feature = "tokio")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cli")]
#[path = "../support/process.rs"]
mod process;

mod clock_steps;
#[cfg(all(unix, feature = "tokio"))]
mod daemon;
#[cfg(unix)]
mod encrypted_keys;
#[cfg(unix)]
mod files;
mod outage;
mod schedule;
mod simulation;
#[cfg(unix)]
#[allow(dead_code, reason = "the fuzz targets use more of it")]
mod stepwise;
