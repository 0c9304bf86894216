//! From a certification request to a certificate on record, against data made by `openssl` and checked with it.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails fails the test, as it should"
)]
#![allow(clippy::print_stdout, reason = "a skipped check says so")]

mod certificate;
mod certs_only;
mod csr;
#[cfg(feature = "sqlite")]
mod database;
#[cfg(feature = "sqlite")]
mod embedded;
#[cfg(feature = "sqlite")]
mod full_disk;
mod policy;
mod support;
