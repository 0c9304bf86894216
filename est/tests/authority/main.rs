//! The embedded authority as a whole: approval, revocation, rollover, its database over versions; and the authority
//! behind a command. What is signed is checked with `openssl`.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails the test, as it should"
)]
#![allow(clippy::print_stdout, reason = "a skipped check says so")]
#![allow(
    clippy::too_many_lines,
    reason = "a command line of openssl takes as many lines as it has words"
)]

mod approval;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "tokio", unix))]
mod command;
mod intermediate;
mod migration;
mod policy;
mod policy_names;
#[cfg(feature = "cli")]
#[path = "../support/process.rs"]
mod process;
mod revocation;
mod rollover;
#[path = "../issuance/support.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests of issuance, which use other parts"
)]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::policy::IssuancePolicy;
use est::ca::{
    Authentication, CertificateAuthority as _, ChannelBindingState, EnrollError, EnrollOperation,
    EnrollOutcome, EnrollRequest, IssuedCertificate, Requester,
};
use pki_common::clock::FixedClock;
use pki_common::identity::NewKey;
use rustls_pki_types::UnixTime;

use support::{DAY, NOW, block_on, csr};

/// This many seconds after the time at which the authorities of these tests are made.
fn at(seconds: u64) -> Arc<FixedClock> {
    Arc::new(FixedClock(UnixTime::since_unix_epoch(Duration::from_secs(
        NOW + seconds,
    ))))
}

fn root(folder: &Path) -> EmbeddedCertificateAuthority {
    root_with(folder, NewKey::EcP256)
}

fn root_with(folder: &Path, key: NewKey) -> EmbeddedCertificateAuthority {
    let new = NewAuthority {
        subject: "CN=Lab Root,DC=example,DC=com".to_owned(),
        key,
        validity: Duration::from_secs(3650 * DAY),
    };
    let files = AuthorityFiles::in_folder(folder);
    EmbeddedCertificateAuthority::create(&files, &new, IssuancePolicy::default(), at(0)).unwrap()
}

/// The authority of the folder, this many seconds later.
fn reopened(folder: &Path, policy: &IssuancePolicy, seconds: u64) -> EmbeddedCertificateAuthority {
    let files = AuthorityFiles::in_folder(folder);
    EmbeddedCertificateAuthority::open(&files, policy.clone(), at(seconds)).unwrap()
}

fn request_of(name: &str, requester: &str) -> EnrollRequest {
    EnrollRequest {
        csr: csr(name),
        requester: Requester {
            name: requester.to_owned(),
            authentication: Authentication::BASIC,
            address: Some([192, 0, 2, 7].into()),
            certificate: None,
        },
        label: None,
        operation: EnrollOperation::SimpleEnroll,
        channel_binding: ChannelBindingState::Absent,
    }
}

fn enroll(
    authority: &EmbeddedCertificateAuthority,
    request: EnrollRequest,
) -> Result<EnrollOutcome, EnrollError> {
    block_on(authority.enroll(request))
}

fn issue(authority: &EmbeddedCertificateAuthority, name: &str) -> IssuedCertificate {
    match enroll(authority, request_of(name, "alice")) {
        Ok(EnrollOutcome::Issued(issued)) => issued,
        other => panic!("not issued: {other:?}"),
    }
}

fn write_pem(path: &Path, label: &str, ders: &[&[u8]]) -> String {
    let text: String = ders
        .iter()
        .map(|der| der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap())
        .collect();
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs openssl at the time of these tests; `None` when it is not installed.
fn openssl_verifies(arguments: &[&str]) -> Option<(bool, String)> {
    let time = NOW.to_string();
    let arguments = [&["verify", "-attime", &time], arguments].concat();
    let output = support::openssl(&arguments)?;
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}
