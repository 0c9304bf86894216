//! The server as one: labels, re-enrolment, proof of possession, reload, revocation lists.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod labels;
mod proof_of_possession;
mod reenrollment;
mod reload;
