//! The ten broken devices of `interop/broken`: with ordinary peers nobody notices what is wrong with them, and the
//! robustness tester finds it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod device;
mod found;
mod ordinary;
mod page;
mod replay;
mod search;
