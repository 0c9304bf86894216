//! Who the controller is, as its certificate says.

use core::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use pki_common::certificate::Certificate;
use pki_common::{Escaped, Fingerprint, HashAlgorithm, KeyHash, MacAddr};

/// A controller: where it was reached, and what the certificate that it proved to hold the key of says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControllerIdentity {
    /// The host and port as configured, `host:port`.
    pub host: Arc<str>,
    /// The address that was reached; `None` before the first connection.
    pub address: Option<SocketAddr>,
    /// What its certificate says; `None` before the first connection.
    pub certificate: Option<Arc<ControllerCertificate>>,
}

/// What identifies a controller in its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControllerCertificate {
    /// The subject.
    pub subject: String,
    /// The MAC address at the end of the common name, where vendors put it.
    pub mac: Option<MacAddr>,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// SHA-256 of the public key, as an authlist has it.
    pub key_hash: KeyHash,
}

impl ControllerIdentity {
    pub(super) const fn unknown(host: Arc<str>) -> Self {
        Self {
            host,
            address: None,
            certificate: None,
        }
    }

    pub(super) fn reached(host: Arc<str>, address: SocketAddr, certificate: Option<&Certificate>) -> Self {
        let described = certificate.map(|certificate| {
            Arc::new(ControllerCertificate {
                subject: certificate.subject().to_owned(),
                mac: certificate.subject_mac(),
                fingerprint: Fingerprint::of(HashAlgorithm::Sha256, certificate),
                key_hash: certificate.key_hash(HashAlgorithm::Sha256),
            })
        });
        Self {
            host,
            address: Some(address),
            certificate: described,
        }
    }

    /// The MAC address in its certificate.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddr> {
        self.certificate.as_ref()?.mac
    }
}

impl fmt::Display for ControllerIdentity {
    /// `wlc1.example:16113 (00:3a:7d:00:00:01)`, without a MAC address the subject, before the first connection the host
    /// alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.certificate.as_deref() {
            Some(ControllerCertificate { mac: Some(mac), .. }) => write!(f, " ({mac})"),
            Some(certificate) => write!(f, " ({})", Escaped::new(&certificate.subject)),
            None => Ok(()),
        }
    }
}
