//! Every public error says where on the ladder it stands, and the same failure has the same name whoever tells it.

#![allow(clippy::unwrap_used, reason = "helpers of a test: a panic is its verdict")]

mod names;
mod sources;
