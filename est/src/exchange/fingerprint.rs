//! First contact without a trust anchor: a person knows, or compares, the fingerprint of the certificate authority
//! (RFC 7030, section 4.1.1).

use pki_common::{Certificate, Fingerprint, HashAlgorithm};

/// A CA certificate that the server shows and its fingerprint, for a person to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFingerprint {
    /// The certificate.
    pub certificate: Certificate,
    /// Its SHA-256 fingerprint.
    pub fingerprint: Fingerprint,
}

impl CaFingerprint {
    /// The certificates that a person may be asked about: all of the answer that may issue certificates, roots first.
    pub(super) fn of_answer(certificates: &[Certificate]) -> Vec<Self> {
        let mut shown: Vec<Self> = certificates
            .iter()
            .filter(|certificate| super::rollover::may_issue(certificate))
            .map(|certificate| Self {
                fingerprint: Fingerprint::of(HashAlgorithm::Sha256, certificate),
                certificate: certificate.clone(),
            })
            .collect();
        shown.sort_by_key(|ca| !ca.certificate.is_self_signed());
        shown
    }
}

/// How the first contact is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintCheck {
    /// A CA certificate of the answer must have this fingerprint.
    Expect(Fingerprint),
    /// A person is asked about the CA certificates of the answer.
    Ask,
}
