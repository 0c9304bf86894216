//! What is mended after a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki_common::Certificate;
use pki_common::identity::Identity;
use rustls_pki_types::{PrivateKeyDer, UnixTime};

use super::{
    CURRENT, Files, FolderError, IdentityFolder, Installed, PendingRequest, UNFINISHED, VERSIONS,
    read_certificate,
};

impl<F: Files> IdentityFolder<F> {
    /// Mends what a crash left: a certificate that was written but not put into use is put into use, and unfinished
    /// files are removed. Call it once before anything else.
    ///
    /// # Errors
    /// A step fails.
    pub fn recover(&self) -> Result<Option<Installed>, FolderError> {
        self.remove_unfinished(&self.path)?;
        self.remove_unfinished(&self.path.join(VERSIONS))?;
        let Some((version, certificate)) = self.left_behind()? else {
            return Ok(None);
        };
        self.switch_to(&version)?;
        self.forget_pending()?;
        Ok(Some(Installed { version, certificate }))
    }

    /// A version that should be in use and is not: the one for the key of the pending request, or, when nothing is in
    /// use, the last one.
    fn left_behind(&self) -> Result<Option<(PathBuf, Certificate)>, FolderError> {
        let current = self.path.join(CURRENT);
        let used = fs::read_link(&current).ok();
        let nothing_used = fs::symlink_metadata(&current).is_err();
        let versions = self.versions()?;
        if versions.is_empty() {
            return Ok(None);
        }
        let pending = self.pending()?;
        let mut others: Vec<(UnixTime, PathBuf)> = Vec::new();
        for version in versions {
            let Ok(certificate) = read_certificate(&version) else {
                continue;
            };
            let is_used = used
                .as_deref()
                .is_some_and(|used| used.file_name() == version.file_name());
            let awaited = pending
                .as_ref()
                .is_some_and(|pending| answers(&certificate, pending));
            if awaited && is_used {
                // Answered and in use; only the note of it was not removed.
                self.forget_pending()?;
                return Ok(None);
            }
            if awaited && let Some(whole) = self.usable(&version)? {
                return Ok(Some((version, whole)));
            }
            others.push((certificate.not_before(), version));
        }
        if !nothing_used {
            return Ok(None);
        }
        others.sort();
        while let Some((_, version)) = others.pop() {
            if let Some(certificate) = self.usable(&version)? {
                return Ok(Some((version, certificate)));
            }
        }
        Ok(None)
    }

    /// The certificate of a version that is a pair; `None` for one that a person has to look at. A key that cannot be
    /// opened is an error: the version may be whole.
    fn usable(&self, version: &Path) -> Result<Option<Certificate>, FolderError> {
        match self.load_version(version) {
            Ok(identity) => Ok(Some(identity.certificate().clone())),
            Err(error @ FolderError::Locked { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn remove_unfinished(&self, folder: &Path) -> Result<(), FolderError> {
        let failed = |error: io::Error| FolderError::io("clean up", folder, &error);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if !is_unfinished(&path) {
                continue;
            }
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            let removed = if is_folder {
                self.files.remove_folder(&path)
            } else {
                self.files.remove_file(&path)
            };
            removed.map_err(failed)?;
        }
        Ok(())
    }
}

/// Whether a certificate is for the key of a request.
fn answers(certificate: &Certificate, pending: &PendingRequest) -> bool {
    let key = PrivateKeyDer::Pkcs8(pending.key.clone_key());
    Identity::from_parts(vec![certificate.der().clone()], key).is_ok()
}

pub(super) fn is_unfinished(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}
