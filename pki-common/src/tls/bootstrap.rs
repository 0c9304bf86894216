//! Servers that no trust store vouches for: one certificate, any server (RFC 7030 section 4.1.1), or a file of pins.

use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::CertificateDer;

use crate::HashAlgorithm;
use crate::certificate::Certificate;
use crate::fingerprint::Fingerprint;
use crate::pinning::{Pin, PinChange, PinStore, PinnedAt};
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
    /// What a file has for this peer.
    Store(PinRule),
}

/// A file of pins, and which of its lines is meant.
#[derive(Debug, Clone)]
pub(super) struct PinRule {
    pub(super) store: Arc<PinStore>,
    pub(super) name: Arc<str>,
    /// Whether a peer without a line gets one.
    pub(super) first_use: bool,
}

impl PinRule {
    fn check(&self, certificate: &Certificate) -> Result<(), TrustError> {
        let presented = Pin::of(certificate);
        match self.store.pin_of(&self.name).map_err(TrustError::PinStore)? {
            Some(pinned) => self.compare(certificate, &presented, &pinned),
            // Written when the peer has proven to hold the key.
            None if self.first_use => Ok(()),
            None => Err(TrustError::NeverPinned {
                name: self.name.to_string(),
                subject: certificate.subject().to_owned(),
                presented: presented.certificate,
                file: self.store.path().display().to_string(),
            }),
        }
    }

    fn compare(
        &self,
        certificate: &Certificate,
        presented: &Pin,
        pinned: &PinnedAt,
    ) -> Result<(), TrustError> {
        if pinned.pin.certificate == presented.certificate {
            return Ok(());
        }
        Err(TrustError::PinChanged(Box::new(PinChange {
            name: self.name.to_string(),
            subject: certificate.subject().to_owned(),
            pinned: pinned.pin.certificate,
            presented: presented.certificate,
            same_key: pinned.pin.key == presented.key,
            place: format!("line {} of {}", pinned.line, self.store.path().display()),
        })))
    }

    /// Pins the certificate if nothing is pinned. Another handshake, also of another process, may have been faster: then
    /// its pin counts.
    fn pin(&self, certificate: &Certificate) -> Result<(), TrustError> {
        if !self.first_use
            || self
                .store
                .pin_of(&self.name)
                .map_err(TrustError::PinStore)?
                .is_some()
        {
            return self.check(certificate);
        }
        let presented = Pin::of(certificate);
        let pinned = self
            .store
            .add(&self.name, presented)
            .map_err(TrustError::PinStore)?;
        self.compare(certificate, &presented, &pinned)?;
        tracing::warn!(
            peer = %self.name,
            fingerprint = %presented.certificate,
            key_hash = %presented.key,
            file = %self.store.path().display(),
            line = pinned.line,
            "certificate pinned on first use: compare the fingerprint with the one on the peer itself"
        );
        Ok(())
    }
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
            Self::Store(rule) if usage == Usage::Server => rule.check(certificate),
            Self::AnyServer(_) | Self::Store(_) => Err(TrustError::CannotVerify {
                detail: "a verifier that is for servers only is given to a server, for clients".to_owned(),
            }),
        }
    }

    /// The peer has signed the handshake with the key of this certificate.
    pub(super) fn key_proven(&self, end_entity: &CertificateDer<'_>) -> Result<(), TrustError> {
        let Self::Store(rule) = self else {
            return Ok(());
        };
        let certificate = Certificate::from_der(end_entity).map_err(|error| TrustError::Malformed {
            detail: error.to_string(),
        })?;
        rule.pin(&certificate)
    }
}
