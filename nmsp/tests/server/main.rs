//! The controller as its subscribers and its operators see it, over real sockets and TLS.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../support/mod.rs"]
mod support;

mod authorization;
mod limits;
mod peer;
mod policy;
mod reload;
mod requests;
mod services;
mod slow_subscriber;
