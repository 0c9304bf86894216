//! The request on its way: its key is on the disk before it leaves, and it is the same request after a restart.

use core::fmt;
use std::path::Path;

use der::Document;
use pki_common::identity::{Passphrase, load_private_key};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Files, FolderError, IdentityFolder, KEY, PENDING, REQUEST, UNFINISHED, Visibility};

/// A key, and the request for it as it was sent.
pub struct PendingRequest {
    /// The private key.
    pub key: PrivatePkcs8KeyDer<'static>,
    /// The PKCS #10 request in DER: a server that wants a request approved knows it again by its bytes.
    pub csr_der: Vec<u8>,
}

impl fmt::Debug for PendingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("csr_bytes", &self.csr_der.len())
            .finish_non_exhaustive()
    }
}

impl Clone for PendingRequest {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone_key(),
            csr_der: self.csr_der.clone(),
        }
    }
}

impl<F: Files> IdentityFolder<F> {
    /// The request on its way, if there is one.
    ///
    /// # Errors
    /// Its files cannot be read.
    pub fn pending(&self) -> Result<Option<PendingRequest>, FolderError> {
        let folder = self.path.join(PENDING);
        if !folder.is_dir() {
            return Ok(None);
        }
        let path = folder.join(KEY);
        let passphrase = self.passphrase.as_ref().map(Passphrase::as_bytes);
        let PrivateKeyDer::Pkcs8(key) = load_private_key(&path, passphrase)? else {
            return Err(FolderError::Content {
                path: path.display().to_string(),
                what: "private key in PKCS#8",
                reason: "it is in another form".to_owned(),
            });
        };
        let csr_der = read_request(&folder.join(REQUEST))?;
        Ok(Some(PendingRequest { key, csr_der }))
    }

    /// Keeps a request, before it is sent.
    ///
    /// # Errors
    /// It cannot be written. One that is there already is not overwritten.
    pub fn keep_pending(&self, request: &PendingRequest) -> Result<(), FolderError> {
        let folder = self.path.join(PENDING);
        let unfinished = self.path.join(format!("{UNFINISHED}{PENDING}"));
        let key = self.key_pem(&PrivateKeyDer::Pkcs8(request.key.clone_key()))?;
        let csr = der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &request.csr_der)
            .map_err(|error| FolderError::Content {
                path: folder.display().to_string(),
                what: "request",
                reason: error.to_string(),
            })?;
        let files = &self.files;
        let failed = |error| FolderError::io("write", &folder, &error);
        files.remove_folder(&unfinished).map_err(failed)?;
        files.create_folder(&unfinished).map_err(failed)?;
        files
            .write_new(&unfinished.join(KEY), key.as_bytes(), Visibility::Private)
            .map_err(failed)?;
        files
            .write_new(&unfinished.join(REQUEST), csr.as_bytes(), Visibility::Public)
            .map_err(failed)?;
        files.sync_folder(&unfinished).map_err(failed)?;
        // A folder that has files in it is not replaced by this.
        files.rename(&unfinished, &folder).map_err(failed)?;
        files.sync_folder(&self.path).map_err(failed)
    }

    /// Forgets the request: it was answered, or refused for good.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub fn forget_pending(&self) -> Result<(), FolderError> {
        let folder = self.path.join(PENDING);
        // Renamed first, so that no half of it is ever taken for a request.
        let doomed = self.path.join(format!("{UNFINISHED}{PENDING}"));
        if !folder.is_dir() {
            return Ok(());
        }
        let failed = |error| FolderError::io("remove", &folder, &error);
        self.files.remove_folder(&doomed).map_err(failed)?;
        self.files.rename(&folder, &doomed).map_err(failed)?;
        self.files.remove_folder(&doomed).map_err(failed)
    }
}

fn read_request(path: &Path) -> Result<Vec<u8>, FolderError> {
    let text = std::fs::read_to_string(path).map_err(|error| FolderError::io("read", path, &error))?;
    let wrong = |reason: String| FolderError::Content {
        path: path.display().to_string(),
        what: "certification request in PEM",
        reason,
    };
    let (label, document) = Document::from_pem(&text).map_err(|error| wrong(error.to_string()))?;
    if label != "CERTIFICATE REQUEST" {
        return Err(wrong(format!("its label is {label:?}")));
    }
    Ok(document.into_vec())
}
