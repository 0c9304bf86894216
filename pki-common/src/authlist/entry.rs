//! One entry of an authlist, and what makes it valid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::certificate::CertificateType;
use crate::key_hash::{HashAlgorithm, KeyHash};
use crate::ladder::{Diagnose, Failure, Rung};
use crate::mac::MacAddr;

/// The vendor's word for what an entry admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthListType {
    /// `mic`: an access point with a manufacturer installed certificate.
    Mic,
    /// `ssc`: an access point with a self-signed certificate.
    Ssc,
    /// `lsc`: a device with a locally significant certificate.
    Lsc,
    /// `lbs-ssc`: a location server with a self-signed certificate, by SHA-1.
    LbsSsc,
    /// `sha256-lbs-ssc`: a location server with a self-signed certificate, by SHA-256.
    Sha256LbsSsc,
}

impl AuthListType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Mic, Self::Ssc, Self::Lsc, Self::LbsSsc, Self::Sha256LbsSsc];

    /// The vendor's word, as AireOS commands have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mic => "mic",
            Self::Ssc => "ssc",
            Self::Lsc => "lsc",
            Self::LbsSsc => "lbs-ssc",
            Self::Sha256LbsSsc => "sha256-lbs-ssc",
        }
    }

    /// The type of certificate this admits.
    pub const fn certificate_type(self) -> CertificateType {
        match self {
            Self::Mic => CertificateType::Mic,
            Self::Lsc => CertificateType::Lsc,
            Self::Ssc | Self::LbsSsc | Self::Sha256LbsSsc => CertificateType::Ssc,
        }
    }

    /// The type of a location server's self-signed certificate, by the algorithm of its key hash.
    pub const fn location_server(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha1 => Self::LbsSsc,
            HashAlgorithm::Sha256 => Self::Sha256LbsSsc,
        }
    }

    /// Whether an entry must carry a hash: nothing else vouches for a self-signed certificate.
    pub const fn needs_key_hash(self) -> bool {
        matches!(self.certificate_type(), CertificateType::Ssc)
    }

    /// The only algorithm an entry of this type may have.
    const fn only_algorithm(self) -> Option<HashAlgorithm> {
        match self {
            Self::LbsSsc => Some(HashAlgorithm::Sha1),
            Self::Sha256LbsSsc => Some(HashAlgorithm::Sha256),
            Self::Mic | Self::Ssc | Self::Lsc => None,
        }
    }
}

impl fmt::Display for AuthListType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AuthListType {
    type Err = UnknownAuthListType;

    /// Case does not matter: screens show the words in either.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|list_type| list_type.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownAuthListType)
    }
}

/// A word that is no authlist type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown authlist type; expected mic, ssc, lsc, lbs-ssc or sha256-lbs-ssc")]
pub struct UnknownAuthListType;

impl Diagnose for UnknownAuthListType {
    fn diagnose(&self) -> Failure {
        let remedy = "Use lbs-ssc (SHA-1) or sha256-lbs-ssc (SHA-256) for a location server's self-signed certificate.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

/// One entry: who is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthListEntry {
    /// The MAC address in the subject of the peer's certificate.
    pub mac: MacAddr,
    /// What is admitted.
    pub list_type: AuthListType,
    /// The hash of the peer's public key. `mic` and `lsc` entries may go without.
    pub key_hash: Option<KeyHash>,
}

impl AuthListEntry {
    /// The type of certificate this entry admits.
    pub const fn certificate_type(&self) -> CertificateType {
        self.list_type.certificate_type()
    }

    /// The algorithm of the key hash; `None` sorts below every algorithm.
    pub(super) fn algorithm(&self) -> Option<HashAlgorithm> {
        self.key_hash.map(|hash| hash.algorithm())
    }

    /// What makes an entry unique within its MAC address.
    pub(super) fn sort_key(&self) -> (AuthListType, Option<HashAlgorithm>) {
        (self.list_type, self.algorithm())
    }

    /// Whether the entry is sound by itself.
    pub(super) fn check(&self) -> Result<(), AuthListConflict> {
        match (self.key_hash, self.list_type.only_algorithm()) {
            (None, _) if self.list_type.needs_key_hash() => Err(AuthListConflict::KeyHashMissing {
                mac: self.mac,
                list_type: self.list_type,
            }),
            (Some(hash), Some(expected)) if hash.algorithm() != expected => {
                Err(AuthListConflict::WrongAlgorithm {
                    mac: self.mac,
                    list_type: self.list_type,
                    found: hash.algorithm(),
                    expected,
                })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for AuthListEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.list_type, self.mac)?;
        self.key_hash.iter().try_for_each(|hash| write!(f, " {hash}"))
    }
}

/// Why an entry was not taken into the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthListConflict {
    /// Another entry pins a different key for the same MAC address, certificate type and algorithm.
    #[error("the entry \"{refused}\" contradicts the entry \"{existing}\"")]
    Contradiction {
        /// The entry in the list.
        existing: AuthListEntry,
        /// The entry that was not taken.
        refused: AuthListEntry,
    },
    /// The type needs a key hash.
    #[error(
        "the {list_type} entry for {mac} has no key hash: nothing else vouches for a self-signed certificate"
    )]
    KeyHashMissing {
        /// Whose entry.
        mac: MacAddr,
        /// Of which type.
        list_type: AuthListType,
    },
    /// The type needs a key hash of another algorithm.
    #[error(
        "the {list_type} entry for {mac} has a {found} key hash ({} digits), expected {expected} ({} digits)",
        found.digits(),
        expected.digits()
    )]
    WrongAlgorithm {
        /// Whose entry.
        mac: MacAddr,
        /// Of which type.
        list_type: AuthListType,
        /// The hash's algorithm.
        found: HashAlgorithm,
        /// The algorithm the type stands for.
        expected: HashAlgorithm,
    },
}

impl Diagnose for AuthListConflict {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Contradiction { .. } => {
                "Find out which key hash `show server-auth-info` of that device prints, and remove the other authlist entry."
            }
            Self::KeyHashMissing { .. } | Self::WrongAlgorithm { .. } => {
                "Take type and key hash from `show server-auth-info`: lbs-ssc goes with SHA1, sha256-lbs-ssc with SHA2."
            }
        };
        Failure::new(Rung::Local, format!("authlist: {self}"), remedy)
    }
}
