//! Why a pin store cannot be used.

use core::fmt;

use crate::fingerprint::Fingerprint;
use crate::identity::IdentityError;
use crate::ladder::{Diagnose, Failure, Rung};

/// Why a pin store cannot be read or written. The file or the caller on this machine is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinStoreError {
    /// The operating system refused the file.
    #[error("cannot read the pins in {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// The file is larger than the limit.
    #[error("{path} has more than {limit} bytes, the limit for a file of pins")]
    FileTooLarge {
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line is not as it should be.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A peer cannot be called this.
    #[error("{name:?} cannot be the name of a peer in a file of pins: {reason}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The lock beside the file could not be taken.
    #[error("cannot lock the pins by {path}: {reason}")]
    Lock {
        /// The lock file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// The file could not be written.
    #[error("{0}")]
    Write(IdentityError),
}

impl PinStoreError {
    pub(crate) const fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Correct the path, or let the user of this process read it.",
            Self::FileTooLarge { .. } => "Name the file with the pins; another file was probably meant.",
            Self::Line { .. } => {
                "Correct the line (name, SHA-256 fingerprint of the certificate, SHA-256 key hash) or take it out; a peer \
                 without a line is unknown."
            }
            Self::Name { .. } => "Give a host name or an address, with a port if needed: [host]:port.",
            Self::Lock { .. } | Self::Write(_) => {
                "Let the user of this process write into the folder of the file."
            }
        }
    }
}

impl Diagnose for PinStoreError {
    fn diagnose(&self) -> Failure {
        Failure::new(Rung::Local, format!("{self}."), self.remedy())
    }
}

/// A peer has another certificate than the one that is pinned for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinChange {
    /// The peer as the file calls it.
    pub name: String,
    /// Subject of the certificate that it presents.
    pub subject: String,
    /// The fingerprint that is pinned.
    pub pinned: Fingerprint,
    /// The fingerprint of the certificate that it presents.
    pub presented: Fingerprint,
    /// Whether the public key is the pinned one.
    pub same_key: bool,
    /// File and line of the pin.
    pub place: String,
}

impl PinChange {
    pub(crate) fn remedy(&self) -> String {
        format!(
            "Compare {} with the fingerprint that the peer's administrator reads out; if it is the same, take {} out and \
             connect again, if not, somebody else answers there.",
            self.presented, self.place
        )
    }
}

impl fmt::Display for PinChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.same_key {
            "with the same key, as after a renewal"
        } else {
            "with another key"
        };
        write!(
            f,
            "{} presents the certificate {} with the fingerprint {}, {key}; pinned is {} ({})",
            self.name, self.subject, self.presented, self.pinned, self.place
        )
    }
}
