//! CMS against `openssl cms`: what we make it reads, what it makes we read, and what was tampered with is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails the test, as it should"
)]

mod enveloped_data;
mod signed_data;
mod support;
