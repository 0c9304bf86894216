//! Why the authlist refuses a peer whose certificate is valid.

use crate::authlist::AuthListType;
use crate::certificate::CertificateType;
use crate::key_hash::KeyHash;
use crate::ladder::{Alert, Diagnose, Failure, KnownCause, Rung, Side, TlsFault};
use crate::mac::MacAddr;

/// An authlist's refusal. The vendor's four classes (D-03) are kept apart, and a certificate without a MAC
/// address is a fifth case: it cannot be looked up.
///
/// Key hashes and MAC addresses are public facts, so the messages name them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthListRefusal {
    /// The list has no entry for this MAC address.
    #[error(
        "the authlist has no entry for {mac}, which presented a valid {presented} with key hash {key_hash}"
    )]
    NoEntry {
        /// The MAC address in the certificate's subject.
        mac: MacAddr,
        /// The type the certificate was validated as.
        presented: CertificateType,
        /// SHA-256 key hash of the presented certificate.
        key_hash: KeyHash,
    },
    /// The entry pins another key.
    #[error(
        "the authlist entry for {mac} pins another key: the presented {presented} has the {} key hash {key_hash}, \
         the entry expects {expected}",
        key_hash.algorithm()
    )]
    KeyHashMismatch {
        /// The MAC address in the certificate's subject.
        mac: MacAddr,
        /// The type the certificate was validated as.
        presented: CertificateType,
        /// Key hash of the presented certificate, by the algorithm of the entry.
        key_hash: KeyHash,
        /// The entry's key hash.
        expected: KeyHash,
    },
    /// The certificate claims to be self-signed, but its own key did not sign it.
    #[error(
        "the authlist admits a self-signed certificate for {mac}, but the presented SSC with key hash {key_hash} is \
         not verifiable: its own key did not sign it"
    )]
    SelfSignedNotVerifiable {
        /// The MAC address in the certificate's subject.
        mac: MacAddr,
        /// SHA-256 key hash of the presented certificate.
        key_hash: KeyHash,
    },
    /// The list admits this MAC address, but with another type of certificate.
    #[error(
        "the authlist admits {mac} as {}, but the presented certificate is a {presented} with key hash {key_hash}",
        listed.iter().map(|list_type| list_type.as_str()).collect::<Vec<_>>().join(", ")
    )]
    WrongCertificateType {
        /// The MAC address in the certificate's subject.
        mac: MacAddr,
        /// The type the certificate was validated as.
        presented: CertificateType,
        /// SHA-256 key hash of the presented certificate.
        key_hash: KeyHash,
        /// The types of the entries for this MAC address.
        listed: Vec<AuthListType>,
    },
    /// The certificate's subject carries no MAC address to look up.
    #[error(
        "the authlist cannot be asked: the subject {subject:?} has no MAC address at the end of its common name"
    )]
    NoMacInSubject {
        /// The subject, in OpenSSL's one-line form.
        subject: String,
    },
}

impl AuthListRefusal {
    /// The MAC address that was looked up.
    pub const fn mac(&self) -> Option<MacAddr> {
        match self {
            Self::NoEntry { mac, .. }
            | Self::KeyHashMismatch { mac, .. }
            | Self::SelfSignedNotVerifiable { mac, .. }
            | Self::WrongCertificateType { mac, .. } => Some(*mac),
            Self::NoMacInSubject { .. } => None,
        }
    }
}

impl Diagnose for AuthListRefusal {
    /// Rung TLS (authlist), refused by this side, alert 46 `certificate_unknown` (F001-27).
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NoEntry { mac, .. } => format!(
                "If {mac} is to be admitted, add its MAC address and key hash, as its `show server-auth-info` prints them, to the authlist."
            ),
            Self::KeyHashMismatch { mac, .. } => format!(
                "Compare the authlist entry with `show server-auth-info` of {mac}, and replace the entry's key hash if the device's key is really that one."
            ),
            Self::SelfSignedNotVerifiable { mac, .. } => {
                format!("Have {mac} make its self-signed certificate anew; do not admit this one.")
            }
            Self::WrongCertificateType { mac, presented, .. } => format!(
                "Make {mac} present a certificate of the listed type, or add an authlist entry of type {} for it.",
                presented.to_string().to_lowercase()
            ),
            Self::NoMacInSubject { .. } => {
                "Give the peer a certificate whose common name ends with a hyphen and its MAC address, as in CN=C1130-00146a1b3744.".to_owned()
            }
        };
        Failure::new(Rung::Tls(TlsFault::AuthList), format!("{self}."), remedy)
            .refused_by(Side::Local)
            .with_alert(Alert::CERTIFICATE_UNKNOWN)
            .known_as(KnownCause::AuthlistRefused)
    }
}
