//! The robustness tester: what it makes, what it says, and what it finds in our own servers, which is nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod command;
mod determinism;
mod est_ours;
mod nmsp_client_ours;
mod nmsp_ours;
mod reports;
mod resume;
mod support;
mod victims;
