//! The transport for old devices, against the `openssl` command as a peer that we did not write and against itself.
#![cfg(feature = "openssl")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[cfg(feature = "cli")]
mod command;
mod controller;
mod dtls;
mod lab;
mod location_server;
mod own_ends;
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a part of it is used here, as a module of this test"
)]
mod peers;
mod program;
#[path = "../support/mod.rs"]
mod support;
