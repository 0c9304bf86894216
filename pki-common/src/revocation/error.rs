//! Why a revocation list cannot be used.

use crate::ladder::{Diagnose, Failure, Rung};

/// Why a revocation list cannot be used. The files on this machine, or whoever issued the list, are at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListError {
    /// The operating system refused a file or folder.
    #[error("revocation lists of role \"{role}\": cannot read {path}: {reason}")]
    Read {
        /// Role of the lists.
        role: String,
        /// File or folder.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// A list is larger than the limit.
    #[error(
        "revocation lists of role \"{role}\": {origin} has more than {limit} bytes, the limit for one list"
    )]
    TooLarge {
        /// Role of the lists.
        role: String,
        /// File, or "the given list".
        origin: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// There are more lists than the limit.
    #[error("revocation lists of role \"{role}\": {origin} is one more than {limit} lists, the limit")]
    TooMany {
        /// Role of the lists.
        role: String,
        /// File, or "the given list".
        origin: String,
        /// The limit.
        limit: usize,
    },
    /// There is no list in a file or folder.
    #[error("revocation lists of role \"{role}\": no revocation list in {origin}")]
    None {
        /// Role of the lists.
        role: String,
        /// File or folder.
        origin: String,
    },
    /// The list is no X.509 CRL in DER or PEM.
    #[error("revocation lists of role \"{role}\": {origin} is damaged: {reason}")]
    Damaged {
        /// Role of the lists.
        role: String,
        /// File, or "the given list".
        origin: String,
        /// What the decoder said.
        reason: String,
    },
    /// The list is of a kind that cannot be used.
    #[error("revocation lists of role \"{role}\": {origin} cannot be used: {reason}")]
    Unusable {
        /// Role of the lists.
        role: String,
        /// File, or "the given list".
        origin: String,
        /// Which kind.
        reason: String,
    },
}

impl Diagnose for RevocationListError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Read { .. } => "Correct the path, or let the user of this process read it.",
            Self::TooLarge { .. } => {
                "Raise the limit if the list is really this long, else name the right file."
            }
            Self::TooMany { .. } => "Keep only the lists of the issuers this role needs.",
            Self::None { .. } => {
                "Put revocation lists in PEM (-----BEGIN X509 CRL-----) or one in DER into the file, or take it out."
            }
            Self::Damaged { .. } => "Look at it with `openssl crl -text` and fetch it again from its issuer.",
            Self::Unusable { .. } => {
                "Let the issuer make a full list of its own certificates for all reasons."
            }
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}
