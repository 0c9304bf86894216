//! What can go wrong with an identity's files.

use std::io;
use std::path::Path;

use pki_common::identity::IdentityError;
use pki_common::{Diagnose, Failure, Rung};

/// Files that cannot be read or written. Always a matter of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The operating system refuses.
    #[error("cannot {action} {path}: {reason}")]
    Io {
        /// What was to be done: `read`, `write`, `rename`, ...
        action: &'static str,
        /// With what.
        path: String,
        /// What the operating system says.
        reason: String,
    },
    /// Certificate and key cannot be used together.
    #[error("{reason}")]
    Identity {
        /// What is wrong with them.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// A private key is encrypted, and the passphrase is missing or another.
    #[error("{reason}")]
    Locked {
        /// Which file, and which of the two.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A file does not hold what its name says.
    #[error("{path} holds no {what}: {reason}")]
    Content {
        /// The file.
        path: String,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl FolderError {
    pub(in crate::renewal) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            action,
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

impl From<IdentityError> for FolderError {
    fn from(error: IdentityError) -> Self {
        let remedy = match &error {
            IdentityError::EncryptedPrivateKey { .. } => Some(
                "Write the passphrase into a file and name it as passphrase-file in est.toml, or set EST_KEY_PASSPHRASE.",
            ),
            IdentityError::WrongPassphrase { .. } => Some(
                "Correct passphrase-file in est.toml or EST_KEY_PASSPHRASE: it must be what the key was encrypted by.",
            ),
            _ => None,
        };
        if let Some(remedy) = remedy {
            return Self::Locked {
                reason: format!("{error}."),
                remedy,
            };
        }
        let Failure { cause, remedy, .. } = error.diagnose();
        Self::Identity {
            reason: cause,
            remedy,
        }
    }
}

impl Diagnose for FolderError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Io { .. } => "Check the path, its permissions and the space on the disk.",
            Self::Identity { remedy, .. } => remedy,
            Self::Locked { remedy, .. } => remedy,
            Self::Content { .. } => "Restore the file, or move it away to have it made anew.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}
