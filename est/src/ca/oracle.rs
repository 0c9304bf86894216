//! What must hold for a certificate issued on any request body whatsoever; the fuzz target and the corpus test call it.

use pki_common::Certificate;
use rustls_pki_types::UnixTime;

use super::issue::issue;
use super::issuer::Issuer;
use super::policy::IssuancePolicy;
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

/// Takes `body` all the way of a `simpleenroll` request: decode, verify, ask the default policy, issue, and read the
/// certificate with a parser that did not write it.
///
/// # Panics
/// When the certificate has another subject or key than the request, is an authority, outlives its issuer, or cannot
/// be read.
pub fn oracle(issuer: &Issuer, body: &[u8], now: UnixTime) {
    let limits = CsrLimits::default();
    let csr = UnverifiedCsr::from_body(body, &limits).or_else(|_| UnverifiedCsr::from_der(body, &limits));
    let Ok(csr) = csr.and_then(|csr| csr.verify(&VerificationPolicy::default())) else {
        return;
    };
    let serial = issuer.random_serial().expect("the provider gives random bytes");
    let Ok(issued) = issue(issuer, &csr, &IssuancePolicy::default(), serial, now) else {
        return;
    };
    let certificate = Certificate::from_der(&issued.certificate).expect("an issued certificate can be read");
    assert_eq!(
        certificate.subject_der(),
        csr.subject_der(),
        "the subject is the request's, byte for byte"
    );
    assert_eq!(
        certificate.spki_der(),
        csr.public_key().spki_der(),
        "the key is the request's"
    );
    assert_eq!(certificate.version(), 3);
    assert!(!certificate.is_self_signed(), "a leaf does not sign itself");
    assert!(
        certificate.not_after().as_secs() <= issuer.validity().1,
        "a leaf does not outlive its issuer"
    );
}
