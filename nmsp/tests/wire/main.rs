//! The wire: messages and profiles, without a connection.

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

mod describe;
mod dissector;
mod families;
mod generator;
mod location;
mod messages;
mod profiles;
mod schema;
