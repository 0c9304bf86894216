//! The wire: messages and profiles, without a connection.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod describe;
mod dissector;
mod families;
mod generator;
mod location;
mod messages;
mod profiles;
mod schema;
