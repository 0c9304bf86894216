//! `nmsp decode`, `record` and `replay`, and the capture reader below them, against OpenSSL, tshark and themselves.

#![allow(clippy::print_stdout, reason = "a skipped check says so")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod ciphers;
mod command;
mod damage;
mod lab;
mod pcap;
mod sessions;
