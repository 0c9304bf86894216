//! Servers that no trust store vouches for yet (RFC 7030 section 4.1.1).

use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::CertificateDer;

use crate::HashAlgorithm;
use crate::certificate::Certificate;
use crate::fingerprint::Fingerprint;
use crate::trust_store::{TrustError, Usage};

/// Most certificates of a chain that are kept: more than any real chain has, and each one the peer chooses.
pub const MAX_PRESENTED_CERTIFICATES: usize = 16;

/// The chain that a server presented, for a person to look at.
#[derive(Debug, Default)]
pub struct PresentedChain(Mutex<Vec<CertificateDer<'static>>>);

impl PresentedChain {
    /// The certificates of the last handshake in the order they were sent, the server's own first; at most
    /// [`MAX_PRESENTED_CERTIFICATES`]. Empty before the first handshake. Nothing about them has been checked, and
    /// those after the first may be no certificates at all.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether one of the certificates has this fingerprint. For the server's own, the server has proven that it
    /// holds the key; for another, nothing is proven but that the server knows it.
    #[must_use]
    pub fn position_of(&self, fingerprint: &Fingerprint) -> Option<usize> {
        let chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chain.iter().position(|der| fingerprint.matches_der(der))
    }

    fn keep(&self, end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) {
        let chain = core::iter::once(end_entity)
            .chain(intermediates)
            .take(MAX_PRESENTED_CERTIFICATES)
            .map(|der| der.clone().into_owned())
            .collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

/// What replaces the trust store.
#[derive(Debug, Clone)]
pub(super) enum Bootstrap {
    /// Exactly one certificate.
    Pinned(Fingerprint),
    /// Any server.
    AnyServer(Arc<PresentedChain>),
}

impl Bootstrap {
    pub(super) fn check(
        &self,
        certificate: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
    ) -> Result<(), TrustError> {
        match self {
            Self::Pinned(expected) if expected.matches(certificate) => Ok(()),
            Self::Pinned(expected) => Err(TrustError::NotPinned {
                subject: certificate.subject().to_owned(),
                expected: *expected,
                presented: Fingerprint::of(HashAlgorithm::Sha256, certificate),
            }),
            Self::AnyServer(chain) if usage == Usage::Server => {
                chain.keep(certificate.der(), intermediates);
                Ok(())
            }
            Self::AnyServer(_) => Err(TrustError::CannotVerify {
                detail: "a verifier that accepts any server is given to a server, for clients".to_owned(),
            }),
        }
    }
}
