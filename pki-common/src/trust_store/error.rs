//! Why a certificate is not trusted, and why a trust store cannot be read.

use core::fmt;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};
use rustls_pki_types::UnixTime;

use super::name::ExpectedName;
use crate::clock::{distance, human_duration, rfc3339};
use crate::ladder::{Alert, Diagnose, Failure, KnownCause, Rung, Side, TlsFault};
use crate::pinning::{PinChange, PinStoreError};
use crate::revocation::RevocationReason;
use crate::{Fingerprint, KeyHash};

/// What to do when an anchor has the right name and the wrong key.
const RENEWED_OR_FORGED: &str = "If the authority has renewed its root under the same name, fetch its present \
    certificates from a source that you trust (for EST: `est cacerts` with the old root, which vouches for the new one) \
    and add the new root to the trust anchors beside the old one; if it has not, the certificate is somebody else's.";

/// What to do with a peer that is not pinned.
const COMPARE_THEN_PIN: &str = "Compare the fingerprint with the one that the peer's administrator reads out, then add a \
    line for the peer to the file, or connect once with pinning on first use allowed.";

/// What the owner of a certificate wants to do with it (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Usage {
    /// The peer is a TLS client: `id-kp-clientAuth`.
    Client,
    /// The peer is a TLS server: `id-kp-serverAuth`.
    Server,
    /// The peer signs CMC responses: `id-kp-cmcCA` or `id-kp-cmcRA` (RFC 6402 section 2.10), or `id-kp-serverAuth`,
    /// because an EST server may sign with its own certificate (RFC 7030 section 4.3.2).
    CmcResponder,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "TLS client authentication (clientAuth)",
            Self::Server => "TLS server authentication (serverAuth)",
            Self::CmcResponder => "the signing of CMC responses (id-kp-cmcCA, id-kp-cmcRA or serverAuth)",
        })
    }
}

/// Why a peer's certificate is not trusted. The peer's certificate or our configuration is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The certificate's validity begins in the future.
    #[error("{}", not_yet_valid(subject, *not_before, *now))]
    NotYetValid {
        /// Subject of the certificate, or "a certificate of the chain" when an issuer's is meant.
        subject: String,
        /// Begin of its validity.
        not_before: UnixTime,
        /// The time of our clock.
        now: UnixTime,
    },
    /// The certificate's validity is over.
    #[error("{}", expired(subject, *not_after, *now))]
    Expired {
        /// Subject of the certificate, or "a certificate of the chain" when an issuer's is meant.
        subject: String,
        /// End of its validity.
        not_after: UnixTime,
        /// The time of our clock.
        now: UnixTime,
    },
    /// No path leads from the certificate to an anchor.
    #[error(
        "the certificate {subject} does not lead to an anchor of the trust store of role \"{role}\" \
         ({anchors} anchors): the certificate of the issuer {missing_issuer} is missing"
    )]
    UnknownIssuer {
        /// Role of the trust store.
        role: String,
        /// Subject of the peer's certificate.
        subject: String,
        /// Subject of the issuer that neither the peer sent nor the store holds.
        missing_issuer: String,
        /// Number of anchors in the store.
        anchors: usize,
    },
    /// The certificate is signed by its own key and is no anchor itself.
    #[error(
        "the certificate {subject} is self-signed and not in the trust store of role \"{role}\" \
         ({anchors} anchors); its SHA-256 key hash is {key_hash}"
    )]
    SelfSignedNotTrusted {
        /// Role of the trust store.
        role: String,
        /// Subject of the peer's certificate.
        subject: String,
        /// SHA-256 over its SubjectPublicKeyInfo.
        key_hash: KeyHash,
        /// Number of anchors in the store.
        anchors: usize,
    },
    /// The certificate names somebody else.
    #[error("expected {expected}, but the certificate is for {}", listed(presented))]
    WrongName {
        /// The name that was asked for.
        expected: ExpectedName,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// The extended key usage of the certificate does not include what it is used for.
    #[error(
        "the certificate {subject} is not meant for {required}; its extended key usage is {}",
        listed(presented)
    )]
    WrongPurpose {
        /// Subject of the peer's certificate.
        subject: String,
        /// What the peer used it for.
        required: Usage,
        /// Object identifiers of the extended key usages in the certificate.
        presented: Vec<String>,
    },
    /// A signature in the chain, or of a self-signed certificate, does not verify.
    #[error("the signature of the certificate {subject} does not verify ({detail})")]
    BadSignature {
        /// Subject of the certificate.
        subject: String,
        /// Which key was tried.
        detail: String,
    },
    /// The trust store has an anchor of the right name, whose key did not make the signature: the authority has a new
    /// key under its old name, or somebody uses its name.
    #[error(
        "the certificate {subject} is signed by another key than that of the anchor {issuer} in the trust store of role \
         \"{role}\" (SHA-256 of the anchor's key: {anchor_key})"
    )]
    AnchorHasAnotherKey {
        /// What the trust store is for.
        role: String,
        /// Subject of the certificate.
        subject: String,
        /// The name that the anchor and the issuer have in common.
        issuer: String,
        /// Of the anchor whose key was tried.
        anchor_key: KeyHash,
    },
    /// The certificate uses something that is refused unless the caller explicitly accepts it.
    #[error("the certificate {subject} is too old to be safe: {weakness}")]
    Legacy {
        /// Subject of the certificate.
        subject: String,
        /// What is weak, for example "it is signed with SHA-1".
        weakness: String,
    },
    /// The issuer revoked the certificate.
    #[error("the certificate {subject} was revoked by {issuer} on {} ({reason})", rfc3339(*since))]
    Revoked {
        /// Subject of the certificate.
        subject: String,
        /// Who revoked it.
        issuer: String,
        /// When.
        since: UnixTime,
        /// Why.
        reason: RevocationReason,
    },
    /// Whether the certificate is revoked cannot be told.
    #[error("whether the certificate {subject} is revoked by {issuer} is not known: {detail}")]
    RevocationUnknown {
        /// Subject of the certificate.
        subject: String,
        /// Who could have revoked it.
        issuer: String,
        /// What is wrong with the issuer's list.
        detail: String,
    },
    /// The issuer's revocation list is too old.
    #[error(
        "whether the certificate {subject} is revoked is not known: the list of {issuer} was to be replaced by {}, \
         {} ago", rfc3339(*next_update), human_duration(distance(*next_update, *now))
    )]
    RevocationListExpired {
        /// Subject of the certificate.
        subject: String,
        /// Who issued the list.
        issuer: String,
        /// End of the list's validity.
        next_update: UnixTime,
        /// The time of our clock.
        now: UnixTime,
    },
    /// The certificate is not the pinned one.
    #[error("the certificate {subject} has the fingerprint {presented}, expected was {expected}")]
    NotPinned {
        /// Subject of the certificate.
        subject: String,
        /// The fingerprint that was given.
        expected: Fingerprint,
        /// The fingerprint of the certificate.
        presented: Fingerprint,
    },
    /// The peer has another certificate than the one that is pinned for it.
    #[error("{0}")]
    PinChanged(Box<PinChange>),
    /// Nothing is pinned for the peer, and nothing may be.
    #[error(
        "nothing is pinned for {name} in {file}; it presents the certificate {subject} with the fingerprint {presented}"
    )]
    NeverPinned {
        /// The peer as the file of pins would call it.
        name: String,
        /// Subject of the certificate.
        subject: String,
        /// The fingerprint of the certificate.
        presented: Fingerprint,
        /// The file of pins.
        file: String,
    },
    /// The file of pins cannot be used.
    #[error("{0}")]
    PinStore(PinStoreError),
    /// The certificate is not X.509 in DER.
    #[error("the certificate cannot be read: {detail}")]
    Malformed {
        /// What the decoder said.
        detail: String,
    },
    /// Another rule of RFC 5280 is broken, for example a name constraint or a path length.
    #[error("the certificate {subject} breaks a rule of path validation: {detail}")]
    Path {
        /// Subject of the peer's certificate.
        subject: String,
        /// The rule.
        detail: String,
    },
    /// We cannot verify anything: there is no crypto provider or no clock.
    #[error("certificates cannot be verified on this machine: {detail}")]
    CannotVerify {
        /// What is missing.
        detail: String,
    },
}

fn not_yet_valid(subject: &str, not_before: UnixTime, now: UnixTime) -> String {
    format!(
        "the certificate {subject} is not yet valid: it becomes valid at {}, the clock of this machine says {}; \
         the certificate becomes valid in {}",
        rfc3339(not_before),
        rfc3339(now),
        human_duration(distance(now, not_before)),
    )
}

fn expired(subject: &str, not_after: UnixTime, now: UnixTime) -> String {
    format!(
        "the certificate {subject} is expired: it was valid until {}, the clock of this machine says {}; \
         the certificate expired {} ago",
        rfc3339(not_after),
        rfc3339(now),
        human_duration(distance(not_after, now)),
    )
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

impl TrustError {
    /// The rustls error whose alert fits.
    ///
    /// Where the alert allows it, this error itself travels inside, so that
    /// [`diagnose_tls`](crate::tls::diagnose_tls) can say it again.
    #[must_use]
    pub fn to_certificate_error(&self) -> CertificateError {
        match self {
            Self::NotYetValid { not_before, now, .. } => CertificateError::NotValidYetContext {
                time: *now,
                not_before: *not_before,
            },
            Self::Expired { not_after, now, .. } => CertificateError::ExpiredContext {
                time: *now,
                not_after: *not_after,
            },
            Self::UnknownIssuer { .. } | Self::SelfSignedNotTrusted { .. } => CertificateError::UnknownIssuer,
            Self::WrongName {
                expected: ExpectedName::Server(expected),
                presented,
            } => CertificateError::NotValidForNameContext {
                expected: expected.clone(),
                presented: presented.clone(),
            },
            Self::WrongName { .. } => CertificateError::NotValidForName,
            Self::WrongPurpose { .. } => CertificateError::InvalidPurpose,
            Self::BadSignature { .. } | Self::AnchorHasAnotherKey { .. } => CertificateError::BadSignature,
            Self::Malformed { .. } => CertificateError::BadEncoding,
            Self::Revoked { .. } => CertificateError::Revoked,
            Self::RevocationUnknown { .. } => CertificateError::UnknownRevocationStatus,
            Self::RevocationListExpired { next_update, now, .. } => {
                CertificateError::ExpiredRevocationListContext {
                    time: *now,
                    next_update: *next_update,
                }
            }
            Self::Legacy { .. }
            | Self::Path { .. }
            | Self::NotPinned { .. }
            | Self::PinChanged(_)
            | Self::NeverPinned { .. }
            | Self::PinStore(_)
            | Self::CannotVerify { .. } => CertificateError::Other(OtherError(Arc::new(self.clone()))),
        }
    }

    fn fault(&self) -> TlsFault {
        match self {
            Self::NotYetValid { .. } | Self::Expired { .. } => TlsFault::Time,
            Self::WrongName { .. } => TlsFault::Name,
            _ => TlsFault::Chain,
        }
    }

    const fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::NotYetValid { .. } => Some(KnownCause::NotYetValid),
            Self::Expired { .. } => Some(KnownCause::Expired),
            Self::UnknownIssuer { .. } => Some(KnownCause::IssuerNotTrusted),
            Self::SelfSignedNotTrusted { .. } => Some(KnownCause::SelfSigned),
            Self::WrongName { .. } => Some(KnownCause::NameMismatch),
            Self::Revoked { .. } => Some(KnownCause::CertificateRevoked),
            _ => None,
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::NotYetValid { .. } => {
                "Is the clock of this machine behind? Compare both clocks with NTP, or issue the certificate \
                 with an earlier begin."
                    .to_owned()
            }
            Self::Expired { .. } => {
                "Renew the certificate; if it should still be valid, is the clock of this machine ahead? \
                 Compare both clocks with NTP."
                    .to_owned()
            }
            Self::UnknownIssuer { role, missing_issuer, .. } => format!(
                "Add the certificate of {missing_issuer} to the trust store of role \"{role}\", or let the peer \
                 send its whole chain."
            ),
            Self::SelfSignedNotTrusted { role, .. } => format!(
                "Let a trusted authority issue the peer's certificate; or, if you compared the key hash on the \
                 peer itself, add this very certificate to the trust store of role \"{role}\"."
            ),
            Self::WrongName { .. } => "Connect to a name the certificate is for, letter for letter, or issue a \
                                       certificate with the expected name."
                .to_owned(),
            Self::WrongPurpose { required, .. } => {
                format!("Issue a certificate whose extended key usage includes {required}, or has none.")
            }
            Self::AnchorHasAnotherKey { .. } => RENEWED_OR_FORGED.to_owned(),
            Self::BadSignature { .. } => "The certificate was changed or signed by another key of the same name: \
                                          fetch the peer's and the issuer's certificate again and compare them."
                .to_owned(),
            Self::Revoked { .. } => "Let the issuer give the peer a new certificate with a new key; if it should not \
                                     have been revoked, ask the issuer why."
                .to_owned(),
            Self::RevocationUnknown { issuer, .. } => format!(
                "Fetch the current revocation list of {issuer}, check it with `openssl crl -text`, and add it to the \
                 configured lists."
            ),
            Self::RevocationListExpired { issuer, .. } => format!(
                "Fetch the current revocation list of {issuer} and reload; if it should not be expired, is the clock \
                 of this machine ahead?"
            ),
            Self::NotPinned { .. } => "Compare the fingerprint with the one that the peer's administrator reads out; \
                                       if they differ, somebody else answers."
                .to_owned(),
            Self::PinChanged(change) => change.remedy(),
            Self::NeverPinned { .. } => COMPARE_THEN_PIN.to_owned(),
            Self::PinStore(error) => error.remedy().to_owned(),
            Self::Legacy { .. } => "Give the peer a new certificate (v3, SHA-256, RSA-2048 or EC P-256); if it \
                                    cannot have one, accept old certificates for this peer only, by \
                                    dangerous_accept_legacy_certificates."
                .to_owned(),
            Self::Malformed { .. } => {
                "Look at the peer's certificate with `openssl x509 -text` and issue it again.".to_owned()
            }
            Self::Path { .. } => "Look at the basic constraints, key usage and name constraints of the chain with \
                                  `openssl x509 -text` and issue the wrong certificate again."
                .to_owned(),
            Self::CannotVerify { .. } => "Build with the feature aws-lc-rs or ring, or install a process default \
                                          provider of rustls, and set the clock."
                .to_owned(),
        }
    }
}

impl Diagnose for TrustError {
    fn diagnose(&self) -> Failure {
        let rung = match self {
            Self::PinStore(_) => Rung::Local,
            _ => Rung::Tls(self.fault()),
        };
        Failure {
            rung,
            refused_by: Some(Side::Local),
            alert: Some(Alert(
                rustls::AlertDescription::from(self.to_certificate_error()).into(),
            )),
            known_cause: self.known_cause(),
            cause: format!("{self}."),
            remedy: self.remedy(),
        }
    }
}

/// Why a trust store cannot be read. The files or the configuration on this machine are at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreError {
    /// The operating system refused a file or folder.
    #[error("trust store of role \"{role}\": cannot read {path}: {reason}")]
    Read {
        /// Role of the trust store.
        role: String,
        /// File or folder.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// A file is larger than the limit.
    #[error("trust store of role \"{role}\": {path} has more than {limit} bytes, the limit for one file")]
    FileTooLarge {
        /// Role of the trust store.
        role: String,
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// There are more anchors than the limit.
    #[error("trust store of role \"{role}\": more than {limit} anchors, the limit")]
    TooManyAnchors {
        /// Role of the trust store.
        role: String,
        /// The limit.
        limit: usize,
    },
    /// A file or text holds no certificate.
    #[error("trust store of role \"{role}\": no certificate in {origin}")]
    NoCertificate {
        /// Role of the trust store.
        role: String,
        /// File, or "the given text".
        origin: String,
    },
    /// The operating system has no anchors.
    #[error("trust store of role \"{role}\": no anchors of the operating system were found: {reason}")]
    NoSystemAnchors {
        /// Role of the trust store.
        role: String,
        /// Where was looked, and what was wrong there.
        reason: String,
    },
    /// A certificate cannot be used as an anchor.
    #[error("trust store of role \"{role}\": {origin}: {reason}")]
    BadCertificate {
        /// Role of the trust store.
        role: String,
        /// File, or "the given text".
        origin: String,
        /// What the decoder said.
        reason: String,
    },
}

impl TrustStoreError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Correct the path, or let the user of this process read it.",
            Self::FileTooLarge { .. } => "Name the file with the anchors only, or split it.",
            Self::NoSystemAnchors { .. } => {
                "Install the certificates of the system (Debian: package ca-certificates), or name the anchors explicitly."
            }
            Self::TooManyAnchors { .. } => "Keep only the anchors this role needs.",
            Self::NoCertificate { .. } => {
                "Put certificates in PEM (-----BEGIN CERTIFICATE-----) or one in DER into the file, or take it out."
            }
            Self::BadCertificate { .. } => {
                "Look at the file with `openssl x509 -text`; fetch the certificate again or take it out."
            }
        }
    }
}

impl Diagnose for TrustStoreError {
    fn diagnose(&self) -> Failure {
        Failure {
            rung: Rung::Local,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: format!("{self}."),
            remedy: self.remedy().to_owned(),
        }
    }
}
