//! `serverkeygen` over HTTP: `curl` asks, Python's MIME parser takes the answer apart, `openssl` decrypts, verifies and
//! compares; then our own reading of answers, those of careless servers included.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails the test, as it should"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "the support of the CMS tests and the common one look for peers by the same file"
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
