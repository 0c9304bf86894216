//! `nmsp decode`, `record` and `replay`, and the capture reader below them, against OpenSSL, tshark and themselves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
mod peers;

mod ciphers;
mod command;
mod damage;
mod lab;
mod pcap;
mod sessions;
mod tshark;
