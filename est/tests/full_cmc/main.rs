//! Full CMC: messages of other encoders, and every answer of the server, without sockets.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails the test, as it should"
)]

#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
mod peers;

mod client;
mod foreign;
mod refusals;
mod server;
mod support;
