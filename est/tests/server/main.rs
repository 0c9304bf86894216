//! The server as one: labels, re-enrolment, proof of possession, revocation, approval, reload.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cli")]
#[path = "../support/process.rs"]
mod process;

mod alerts;
#[cfg(feature = "cli")]
mod configuration;
#[cfg(feature = "cli")]
mod curl;
mod http_forms;
mod labels;
#[cfg(feature = "cli")]
mod metrics;
#[cfg(feature = "cli")]
mod pending;
mod proof_of_possession;
mod reenrollment;
mod reload;
#[cfg(feature = "cli")]
mod reload_by_signal;
#[cfg(feature = "cli")]
mod revocation;
mod tls_exporter;
mod traps;
