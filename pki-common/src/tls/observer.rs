//! Watching the verification of a peer, step by step.

use core::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use crate::authlist::AuthListRefusal;
use crate::certificate::Certificate;
use crate::ladder::{Diagnose, Failure};
use crate::trust_store::TrustError;

/// Is told of each step while a peer's certificate is verified, in this order: the certificate is validated
/// or refused; then, when there is an authlist and the certificate is valid, the authlist's verdict.
///
/// One more case keeps the vendor's class (D-03): a certificate that only claims to be self-signed is
/// reported as refused, and then the authlist is asked for its words, which are
/// [`AuthListRefusal::SelfSignedNotVerifiable`] when it has an entry.
///
/// The calls come from inside the handshake, so they must be quick. Nobody has proven to hold the private
/// key yet: the connection is up only when the handshake is finished (F001-25).
pub trait VerificationObserver: Debug + Send + Sync {
    /// The certificate is valid: chain, signature, time and name.
    fn certificate_validated(&self, certificate: &Certificate) {
        let _: &Certificate = certificate;
    }

    /// The certificate is not valid.
    fn certificate_refused(&self, error: &TrustError) {
        let _: &TrustError = error;
    }

    /// What the authlist said of a valid certificate.
    fn authlist_verdict(&self, verdict: Result<(), &AuthListRefusal>) {
        let _: Result<(), &AuthListRefusal> = verdict;
    }
}

/// Why our side refused a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The certificate is not valid.
    Certificate(TrustError),
    /// The certificate is valid, but the authlist does not admit the peer.
    AuthList(AuthListRefusal),
}

impl Diagnose for Refusal {
    fn diagnose(&self) -> Failure {
        match self {
            Self::Certificate(error) => error.diagnose(),
            Self::AuthList(refusal) => refusal.diagnose(),
        }
    }
}

/// Keeps why our side refused the peer of one connection, and the certificate it did accept.
///
/// Some rustls errors, like "unknown issuer", have no room for the reason; this observer keeps it beside
/// them. Give it to [`diagnose`](crate::tls::HandshakeContext) after a failed handshake.
#[derive(Debug, Default)]
pub struct RefusalRecorder {
    refusal: Mutex<Option<Refusal>>,
    validated: Mutex<Option<Certificate>>,
}

impl RefusalRecorder {
    /// The reason, when our side refused the peer.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The peer's certificate, when it was valid. The peer has proven to hold its key once the handshake has succeeded.
    #[must_use]
    pub fn validated(&self) -> Option<Certificate> {
        self.validated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, refusal: Refusal) {
        // The last reason is the one whose alert goes out.
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }
}

impl VerificationObserver for RefusalRecorder {
    fn certificate_validated(&self, certificate: &Certificate) {
        *self.validated.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.clone());
    }

    fn certificate_refused(&self, error: &TrustError) {
        self.keep(Refusal::Certificate(error.clone()));
    }

    fn authlist_verdict(&self, verdict: Result<(), &AuthListRefusal>) {
        if let Err(refusal) = verdict {
            self.keep(Refusal::AuthList(refusal.clone()));
        }
    }
}
