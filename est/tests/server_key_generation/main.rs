//! `serverkeygen` over HTTP: `curl` asks, Python's MIME parser takes the answer apart, `openssl` decrypts, verifies and
//! compares; then our own reading of answers, those of careless servers included.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails fails the test, as it should"
)]

mod answer;
mod encrypted;
mod exchange;
#[path = "../cms/support.rs"]
#[allow(dead_code, reason = "each test binary uses another part of the support")]
mod lab;
mod pending;
mod plain;
#[path = "../support/mod.rs"]
mod support;
