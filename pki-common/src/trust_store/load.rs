//! Reads anchors from PEM and DER files and from folders.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{MAX_ANCHOR_FILE_BYTES, TrustStore, TrustStoreError};
use crate::certificate::Certificate;

/// Extensions of files that lie beside certificates in a folder and are none.
const OTHER_EXTENSIONS: [&str; 8] = ["key", "txt", "csr", "crl", "md", "p12", "pfx", "srl"];

impl TrustStore {
    pub(super) fn add_path(&mut self, path: &Path) -> Result<(), TrustStoreError> {
        let metadata = fs::metadata(path).map_err(|error| self.unreadable(path, &error))?;
        if !metadata.is_dir() {
            return self.add_file(path);
        }
        let files = self.certificate_files(path)?;
        if files.is_empty() {
            return Err(TrustStoreError::NoCertificate {
                role: self.role.clone(),
                origin: format!("folder {}", path.display()),
            });
        }
        files.iter().try_for_each(|file| self.add_file(file))
    }

    /// The files of a folder that should hold certificates, in the order of their names.
    fn certificate_files(&self, folder: &Path) -> Result<Vec<PathBuf>, TrustStoreError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| self.unreadable(folder, &error))? {
            let path = entry.map_err(|error| self.unreadable(folder, &error))?.path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            // metadata() follows links: the hashed folders of OpenSSL are links to the files.
            let is_file = fs::metadata(&path)
                .map_err(|error| self.unreadable(&path, &error))?
                .is_file();
            if is_file && !hidden && !has_other_extension(&path) {
                files.push(path);
            } else {
                tracing::debug!(role = self.role, path = %path.display(), "skipped: not a certificate file");
            }
        }
        files.sort();
        Ok(files)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), TrustStoreError> {
        let file = fs::File::open(path).map_err(|error| self.unreadable(path, &error))?;
        let mut content = Vec::new();
        // One byte more than the limit shows that the file is longer, whatever its metadata says.
        file.take(MAX_ANCHOR_FILE_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|error| self.unreadable(path, &error))?;
        if u64::try_from(content.len()).is_ok_and(|length| length > MAX_ANCHOR_FILE_BYTES) {
            return Err(TrustStoreError::FileTooLarge {
                role: self.role.clone(),
                path: path.display().to_string(),
                limit: MAX_ANCHOR_FILE_BYTES,
            });
        }
        self.add_bytes(&content, &path.display().to_string())
    }

    pub(super) fn add_bytes(&mut self, content: &[u8], origin: &str) -> Result<(), TrustStoreError> {
        let bad = |role: &str, reason: String| TrustStoreError::BadCertificate {
            role: role.to_owned(),
            origin: origin.to_owned(),
            reason,
        };
        // DER of a certificate begins with the tag of a SEQUENCE; everything else must be PEM.
        if content.first() == Some(&0x30) {
            let certificate =
                Certificate::from_der(content).map_err(|error| bad(&self.role, error.to_string()))?;
            self.add_from(&certificate, origin)?;
            return Ok(());
        }
        if !content
            .windows(PEM_MARKER.len())
            .any(|window| window == PEM_MARKER)
        {
            return Err(TrustStoreError::NoCertificate {
                role: self.role.clone(),
                origin: origin.to_owned(),
            });
        }
        let certificates =
            Certificate::all_from_pem(content).map_err(|error| bad(&self.role, error.to_string()))?;
        for certificate in &certificates {
            self.add_from(certificate, origin)?;
        }
        Ok(())
    }

    fn unreadable(&self, path: &Path, error: &std::io::Error) -> TrustStoreError {
        TrustStoreError::Read {
            role: self.role.clone(),
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

const PEM_MARKER: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn has_other_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            OTHER_EXTENSIONS
                .iter()
                .any(|other| extension.eq_ignore_ascii_case(other))
        })
}
