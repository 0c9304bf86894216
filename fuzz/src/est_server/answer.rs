//! What an answer of an EST server must be like, whatever was asked.

use bytes::Bytes;
use est::operation::Operation;
use est::wire::base64;
use est::wire::certs_only::{self, CertsOnlyLimits};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Response};
use rustls_pki_types::CertificateDer;

/// The longest wait that the server or the authority of the oracle may ask for, in seconds.
const LONGEST_WAIT: u64 = 3600;

/// Statuses that there is a reason for (`docs/architecture.md`).
const STATUSES: [u16; 17] = [
    200, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 501, 503,
];

/// An answer has a status of the list, and says what goes with it.
pub(super) fn check(method: &Method, operation: Option<Operation>, response: &Response<Bytes>) {
    let status = response.status().as_u16();
    assert!(STATUSES.contains(&status), "status {status}");
    let text = |name| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().expect("printable"))
    };
    if status == 401 {
        assert!(text(WWW_AUTHENTICATE).is_some(), "401 without a challenge");
    }
    if status == 405 {
        assert!(text(ALLOW).is_some(), "405 without Allow");
    }
    if [202, 429, 503].contains(&status) {
        let wait: u64 = text(RETRY_AFTER)
            .expect("Retry-After")
            .parse()
            .expect("a number of seconds");
        assert!(wait <= LONGEST_WAIT, "a wait of {wait} s");
    }
    if status == 204 {
        assert!(response.body().is_empty());
    }
    if status == 200 {
        let media_type = text(CONTENT_TYPE).expect("a body has a type");
        let expected = match operation {
            None => "application/pkix-crl",
            Some(Operation::CsrAttrs) => "application/csrattrs",
            Some(Operation::ServerKeyGen) => "multipart/mixed",
            _ => "application/pkcs7-mime",
        };
        assert!(media_type.starts_with(expected), "{media_type} for {operation:?}");
        assert!(*method == Method::HEAD || !response.body().is_empty());
    } else if status >= 400 && status != 401 {
        // For a person (RFC 7030, section 4.2.3), in plain text, or a CMC message that says more.
        assert!(!response.body().is_empty(), "status {status} without a reason");
    }
}

/// The one certificate of an enrolment's answer.
pub(super) fn certificate(body: &[u8]) -> CertificateDer<'static> {
    let der = base64::decode(body, body.len()).expect("base64");
    let certificates = certs_only::decode(&der, &CertsOnlyLimits::default()).expect("a certs-only message");
    certificates.into_iter().next().expect("a certificate")
}
