//! Reads revocation lists from PEM and DER files and from folders.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;

use super::list::{Rejected, RevocationList};
use super::{RevocationListError, RevocationLists};

const TAG_SEQUENCE: u8 = 0x30;

/// Extensions of files in a folder that may hold lists.
const EXTENSIONS: [&str; 3] = ["crl", "pem", "der"];

impl RevocationLists {
    /// The lists in files and folders.
    ///
    /// A file holds any number of lists in PEM, or one in DER. Of a folder the files whose names end in `.crl`, `.pem`
    /// or `.der` are read; those in PEM without a list are skipped.
    ///
    /// # Errors
    /// A file cannot be read, is larger than the limit, or holds no list or a bad one; a folder without any list.
    pub fn from_paths<P: AsRef<Path>>(
        role: impl Into<String>,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, RevocationListError> {
        let mut lists = Self::empty(role);
        for path in paths {
            lists.add_path(path.as_ref())?;
        }
        Ok(lists)
    }

    /// Adds the lists of a file or folder; see [`from_paths`](Self::from_paths).
    ///
    /// # Errors
    /// As [`from_paths`](Self::from_paths).
    pub fn add_path(&mut self, path: &Path) -> Result<(), RevocationListError> {
        let metadata = fs::metadata(path).map_err(|error| self.unreadable(path, &error))?;
        if !metadata.is_dir() {
            return match self.add_file(path)? {
                0 => Err(self.none(path.display().to_string())),
                _ => Ok(()),
            };
        }
        let mut lists = 0;
        for file in self.files_of(path)? {
            lists += self.add_file(&file)?;
        }
        match lists {
            0 => Err(self.none(format!("folder {}", path.display()))),
            _ => Ok(()),
        }
    }

    /// The files of a folder that may hold lists, in the order of their names.
    fn files_of(&self, folder: &Path) -> Result<Vec<PathBuf>, RevocationListError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| self.unreadable(folder, &error))? {
            let path = entry.map_err(|error| self.unreadable(folder, &error))?.path();
            let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
            if path.is_file() && EXTENSIONS.iter().any(|known| extension == *known) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Gives the number of lists in the file.
    fn add_file(&mut self, path: &Path) -> Result<usize, RevocationListError> {
        let file = fs::File::open(path).map_err(|error| self.unreadable(path, &error))?;
        let mut content = Vec::new();
        // One byte more than the limit shows that the file is longer, whatever its metadata says. PEM is a third
        // larger than what it holds; the limit is for the DER, which is compared again.
        file.take(self.max_bytes.saturating_mul(2).saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| self.unreadable(path, &error))?;
        let origin = path.display().to_string();
        if content.first() == Some(&TAG_SEQUENCE) {
            return self.add_bytes(&content, &origin).map(|_| 1);
        }
        if u64::try_from(content.len()).is_ok_and(|length| length > self.max_bytes.saturating_mul(2)) {
            return Err(self.too_large(&origin));
        }
        let mut lists = 0;
        for section in CertificateRevocationListDer::pem_slice_iter(&content) {
            let der = section.map_err(|error| RevocationListError::Damaged {
                role: self.role.clone(),
                origin: origin.clone(),
                reason: error.to_string(),
            })?;
            self.add_bytes(&der, &origin)?;
            lists += 1;
        }
        Ok(lists)
    }

    pub(super) fn add_bytes(&mut self, der: &[u8], origin: &str) -> Result<bool, RevocationListError> {
        if u64::try_from(der.len()).is_ok_and(|length| length > self.max_bytes) {
            return Err(self.too_large(origin));
        }
        let (role, origin_text) = (self.role.clone(), origin.to_owned());
        let list = RevocationList::from_der(der).map_err(|rejected| match rejected {
            Rejected::Damaged(reason) => RevocationListError::Damaged {
                role,
                origin: origin_text,
                reason,
            },
            Rejected::Unusable(reason) => RevocationListError::Unusable {
                role,
                origin: origin_text,
                reason,
            },
        })?;
        self.add(list, origin)
    }

    fn unreadable(&self, path: &Path, error: &std::io::Error) -> RevocationListError {
        RevocationListError::Read {
            role: self.role.clone(),
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }

    fn too_large(&self, origin: &str) -> RevocationListError {
        RevocationListError::TooLarge {
            role: self.role.clone(),
            origin: origin.to_owned(),
            limit: self.max_bytes,
        }
    }

    fn none(&self, origin: String) -> RevocationListError {
        RevocationListError::None {
            role: self.role.clone(),
            origin,
        }
    }
}
