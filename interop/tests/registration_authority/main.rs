//! The registration authority in front of the AD CS simulator: what the parts show together.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod command;
mod failures;
mod hang;
mod libest;
mod log;
mod passwords;
mod quickstart;

use est::request::{KeyAndRequest, RequestKey, RequestTemplate};
use pki_common::identity::NewKey;

/// A phone's request, in DER.
fn request_of(name: &str) -> Vec<u8> {
    let subject = format!("O=Cisco,CN={name}").parse().unwrap();
    let template = RequestTemplate::new(subject, &[]).unwrap();
    let key = RequestKey::generate(NewKey::EcP256).unwrap();
    KeyAndRequest::new(template, key).unwrap().csr_der().to_vec()
}
