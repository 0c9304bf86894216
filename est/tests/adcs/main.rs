//! The client of AD CS web enrolment and the authority on it, against known answers, pages and a scripted server.
//!
//! | module | what it asks |
//! |---|---|
//! | `pages.rs` | what is read from pages and files, in several languages |
//! | `ntlm.rs` | the known answers of MS-NLMP section 4.2.4 |
//! | `client.rs` | the order of requests, logins, what is tried again and what is not |
//! | `authority.rs` | pending and late certificates, a restart, lost answers |
//! | `login.rs` | logins with the credentials of others |
//! | `site.rs` | the scripted server |
#![cfg(all(feature = "adcs", feature = "tokio"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

mod authority;
mod client;
mod login;
mod ntlm;
mod pages;
mod site;
#[path = "../support/mod.rs"]
mod support;
