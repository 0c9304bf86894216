//! The roots of an authority that came after the configured ones: what a rollover leaves (RFC 7030, section 4.1.3).

use std::io;

use der::pem::{LineEnding, encode_string};
use pki_common::Certificate;

use super::{ANCHORS, Files, FolderError, IdentityFolder, UNFINISHED, Visibility};

impl<F: Files> IdentityFolder<F> {
    /// The roots that were kept; none before the first rollover. Who does not trust one any more removes it from the
    /// file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn anchors(&self) -> Result<Vec<Certificate>, FolderError> {
        let path = self.anchors_path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FolderError::io("read", &path, &error)),
        };
        if text.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        Certificate::all_from_pem(&text).map_err(|error| FolderError::Content {
            path: path.display().to_string(),
            what: "certificates in PEM",
            reason: error.to_string(),
        })
    }

    /// Keeps further roots beside those that are there. A reader sees the old file or the new one.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn keep_anchors(&self, further: &[Certificate]) -> Result<(), FolderError> {
        let mut all = self.anchors()?;
        let known = all.len();
        for certificate in further {
            if !all.contains(certificate) {
                all.push(certificate.clone());
            }
        }
        if all.len() == known {
            return Ok(());
        }
        let path = self.anchors_path();
        let mut text = String::new();
        for certificate in &all {
            let pem = encode_string("CERTIFICATE", LineEnding::LF, certificate.der()).map_err(|error| {
                FolderError::Content {
                    path: path.display().to_string(),
                    what: "certificates in PEM",
                    reason: error.to_string(),
                }
            })?;
            text.push_str(&pem);
        }
        let files = &self.files;
        let failed = |error: io::Error| FolderError::io("write", &path, &error);
        let unfinished = self.path.join(format!("{UNFINISHED}{ANCHORS}"));
        files.remove_file(&unfinished).map_err(failed)?;
        files
            .write_new(&unfinished, text.as_bytes(), Visibility::Public)
            .map_err(failed)?;
        files.rename(&unfinished, &path).map_err(failed)?;
        files.sync_folder(&self.path).map_err(failed)
    }
}
