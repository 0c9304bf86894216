//! One identity's files: every certificate has a version folder of its own, and one symbolic link says which is used.
//!
//! ```text
//! NAME/
//!   current -> versions/20261122T010006Z-3f21…   the only thing that ever changes
//!   versions/
//!     20261122T010006Z-3f21…/                    start of validity and serial number; never written to again
//!       certificate.pem                          the certificate, then the chain above it
//!       key.pem                                  its private key, mode 0600; encrypted when there is a passphrase
//!       identity.pem                             key, certificate and chain in one file, mode 0600
//!   pending/                                     a request on its way: key.pem (mode 0600), request.pem
//!   anchors.pem                                  roots of the authority that came after those that were configured
//!   hook-due                                     the version for which the hook has not succeeded yet
//! ```
//!
//! A program is pointed at `NAME/current/certificate.pem` and `NAME/current/key.pem`. Both are reached through one
//! link, and renaming a link is atomic: a crash at any point leaves the old pair or the new one. A program that opens
//! the two files itself, one after the other, can meet the switch in between; `identity.pem` rules that out, and so
//! does the hook that makes the program read both again.
//!
//! With a passphrase every private key is written encrypted by it (PKCS#8, PBES2: `ENCRYPTED PRIVATE KEY`); one in the
//! clear is still read, so that the next renewal encrypts it.
//!
//! The private key is on the disk before the request leaves, so that no certificate can come back for a lost key.

mod anchors;
mod error;
mod files;
mod install;
mod pending;
mod recover;
mod stamp;

use std::path::{Path, PathBuf};

use pki_common::Certificate;
use pki_common::identity::{
    Identity, MAX_IDENTITY_FILE_BYTES, Passphrase, encrypted_private_key_pem, private_key_pem,
};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

pub use error::FolderError;
pub use files::{Files, SystemFiles, Visibility};
pub use install::Installed;
pub use pending::PendingRequest;
pub use stamp::FileStamps;

const CURRENT: &str = "current";
const VERSIONS: &str = "versions";
const PENDING: &str = "pending";
const HOOK_DUE: &str = "hook-due";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const COMBINED: &str = "identity.pem";
const REQUEST: &str = "request.pem";
const ANCHORS: &str = "anchors.pem";
/// What a name begins with while the thing is being made; left by a crash, it is removed.
const UNFINISHED: &str = ".new-";

/// The folder of one identity.
#[derive(Debug)]
pub struct IdentityFolder<F = SystemFiles> {
    path: PathBuf,
    files: F,
    passphrase: Option<Passphrase>,
}

impl IdentityFolder {
    /// The folder at this path.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            files: SystemFiles,
            passphrase: None,
        }
    }
}

impl<F: Files> IdentityFolder<F> {
    /// The folder at this path, written to by other means than the operating system's: for tests of what a crash
    /// leaves behind.
    #[must_use]
    pub const fn with_files(path: PathBuf, files: F) -> Self {
        Self {
            path,
            files,
            passphrase: None,
        }
    }

    /// The same folder, with a passphrase for its private keys: they are written encrypted by it, and read encrypted or
    /// in the clear.
    #[must_use]
    pub fn with_passphrase(mut self, passphrase: Option<Passphrase>) -> Self {
        self.passphrase = passphrase;
        self
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that has the certificate and its chain.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.path.join(CURRENT).join(CERTIFICATE)
    }

    /// The file that has the private key.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.path.join(CURRENT).join(KEY)
    }

    /// The file that has the roots that came later; see [`anchors`](Self::anchors).
    #[must_use]
    pub fn anchors_path(&self) -> PathBuf {
        self.path.join(ANCHORS)
    }

    /// The file that has key, certificate and chain.
    #[must_use]
    pub fn combined_path(&self) -> PathBuf {
        self.path.join(CURRENT).join(COMBINED)
    }

    /// The certificate and the key in use; `None` before the first one.
    ///
    /// # Errors
    /// The files cannot be read or do not belong together.
    pub fn current(&self) -> Result<Option<Identity>, FolderError> {
        let link = self.path.join(CURRENT);
        // Resolved once, so that a switch in between does not mix two pairs.
        match std::fs::canonicalize(&link) {
            Ok(version) => Ok(Some(self.load_version(&version)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !link.is_symlink() => Ok(None),
            Err(error) => Err(FolderError::io("read", &link, &error)),
        }
    }

    /// The state of certificate and key in use: as long as it is the same, they are the same.
    #[must_use]
    pub fn stamps(&self) -> FileStamps {
        FileStamps::of([self.certificate_path(), self.key_path()])
    }

    /// Whether the hook has not yet succeeded for the certificate in use.
    #[must_use]
    pub fn hook_is_due(&self) -> bool {
        let due = std::fs::read_to_string(self.path.join(HOOK_DUE));
        let used = std::fs::read_link(self.path.join(CURRENT));
        match (due, used) {
            (Ok(due), Ok(used)) => used == Path::new(VERSIONS).join(due.trim_end()),
            _ => false,
        }
    }

    /// Notes that the hook has succeeded.
    ///
    /// # Errors
    /// The note cannot be removed.
    pub fn hook_succeeded(&self) -> Result<(), FolderError> {
        let path = self.path.join(HOOK_DUE);
        self.files
            .remove_file(&path)
            .map_err(|error| FolderError::io("remove", &path, &error))
    }

    fn load_version(&self, version: &Path) -> Result<Identity, FolderError> {
        let (certificate, key) = (version.join(CERTIFICATE), version.join(KEY));
        Ok(match &self.passphrase {
            None => Identity::load(certificate, key)?,
            Some(passphrase) => Identity::load_encrypted(certificate, key, passphrase.as_bytes())?,
        })
    }

    /// A private key as it is written.
    fn key_pem(&self, key: &PrivateKeyDer<'_>) -> Result<Zeroizing<String>, FolderError> {
        Ok(match &self.passphrase {
            None => private_key_pem(key),
            Some(passphrase) => Zeroizing::new(encrypted_private_key_pem(key, passphrase.as_bytes())?),
        })
    }
}

/// The certificate of a version, without its key: opening an encrypted key takes a moment, and many are not needed.
fn read_certificate(version: &Path) -> Result<Certificate, FolderError> {
    let path = version.join(CERTIFICATE);
    let failed = |error: std::io::Error| FolderError::io("read", &path, &error);
    let length = std::fs::metadata(&path).map_err(failed)?.len();
    let wrong = |reason: String| FolderError::Content {
        path: path.display().to_string(),
        what: "certificate",
        reason,
    };
    if length > MAX_IDENTITY_FILE_BYTES {
        return Err(wrong(format!("it has {length} bytes")));
    }
    let bytes = std::fs::read(&path).map_err(failed)?;
    Certificate::from_pem(&bytes)
        .or_else(|error| Certificate::from_der(&bytes).map_err(|_| error))
        .map_err(|error| wrong(error.to_string()))
}
