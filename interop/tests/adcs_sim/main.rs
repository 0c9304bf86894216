//! The simulator, used by clients that this project did not write (`curl`, `openssl`, PyPI `certsrv`), and by its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod certificates;
mod command;
mod faults;
mod lab;
mod login;
mod own_client;
mod python_certsrv;
mod requests;
