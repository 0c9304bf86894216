//! The `est` command as a process.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod anchors;
mod batch;
mod cmc;
mod credentials;
mod inspect;
mod inspect_messages;
mod json;
/// The rule for peers that are not installed; one file for all crates.
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
mod peers;
#[path = "../support/process.rs"]
mod process;
mod proxy;
mod renew;
mod server_key;
#[cfg(unix)]
mod terminal;
mod walk;

use std::path::Path;

use process::est;

pub(crate) fn enroll(folder: &Path, url: &str, extra: &[&str], out: &str) -> std::process::Output {
    let (certificate, key) = (format!("{out}.pem"), format!("{out}.key.pem"));
    let arguments: Vec<_> = ["enroll", "--url", url, "--trust-anchors", "ca/ca.pem"]
        .into_iter()
        .chain(["--out-certificate", &certificate, "--out-key", &key])
        .chain(extra.iter().copied())
        .collect();
    est(folder, &arguments, "")
}
