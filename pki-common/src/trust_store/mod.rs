//! Trust anchors: one store per role, and the checks of a peer's certificate against them.
//!
//! A process that talks to several kinds of peers keeps one store for each role, because a
//! certificate that is good enough for an HTTP client is not for a controller. The name of
//! the role is part of every error.

mod error;
mod extensions;
mod legacy_path;
mod load;
mod name;
mod purpose;
mod system;
mod validate;

pub use error::{TrustError, TrustStoreError, Usage};
pub(crate) use extensions::check_extensions_known;
pub use name::ExpectedName;
pub(crate) use validate::{MIN_LEGACY_RSA_BITS, Strength, check_strength, check_window};

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

use crate::certificate::Certificate;
use crate::revocation::RevocationCheck;
use crate::shared::Shared;

/// Largest anchor file that is read, in bytes. The bundle of a Linux distribution has about
/// 220 kB; the limit keeps a mistyped path from filling the memory.
pub const MAX_ANCHOR_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Largest number of different anchors in one store. Linux distributions ship about 150;
/// path validation tries every anchor whose name fits.
pub const MAX_ANCHORS: usize = 1024;

/// Most bytes of anchor names a server hints to its clients. A message of TLS has room for 64 kB; a store
/// of hundreds of anchors sends no hints, which means "any".
const MAX_HINT_BYTES: usize = 16 * 1024;

/// The trust anchors of one role.
///
/// The same certificate may be added many times, from many files (F002-12 shows a device that
/// does): it is kept once, and [`duplicates`](Self::duplicates) counts the rest.
#[derive(Debug, Clone)]
pub struct TrustStore {
    role: String,
    anchors: Vec<Certificate>,
    /// Those of the anchors that may vouch for other certificates, twice.
    authorities: Vec<Certificate>,
    webpki_anchors: Vec<TrustAnchor<'static>>,
    subjects: Vec<DistinguishedName>,
    known: HashSet<Vec<u8>>,
    duplicates: usize,
    hints: OnceLock<Arc<[DistinguishedName]>>,
}

impl TrustStore {
    /// A store that trusts nobody yet. `role` says whom it is for, for example `nmsp-clients`.
    pub fn empty(role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            anchors: Vec::new(),
            authorities: Vec::new(),
            webpki_anchors: Vec::new(),
            subjects: Vec::new(),
            known: HashSet::new(),
            duplicates: 0,
            hints: OnceLock::new(),
        }
    }

    /// A store of every certificate in a PEM text.
    ///
    /// # Errors
    /// The text holds no certificate, or one that cannot be read.
    pub fn from_pem(role: impl Into<String>, pem: &[u8]) -> Result<Self, TrustStoreError> {
        let mut store = Self::empty(role);
        store.add_bytes(pem, "the given text")?;
        Ok(store)
    }

    /// A store of the certificates in files and folders.
    ///
    /// A file holds any number of certificates in PEM, or one in DER. Of a folder every file at its top
    /// level is read, in the order of the names; hidden files, sub-folders and files whose extension says
    /// that they are something else (`.key`, `.txt`, `.csr`, `.crl`, `.md`, `.p12`, `.pfx`, `.srl`) are skipped.
    ///
    /// # Errors
    /// A file cannot be read, is larger than [`MAX_ANCHOR_FILE_BYTES`], or holds no certificate or a bad
    /// one; a folder without any certificate; more than [`MAX_ANCHORS`] anchors.
    pub fn from_paths<P: AsRef<Path>>(
        role: impl Into<String>,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, TrustStoreError> {
        let mut store = Self::empty(role);
        for path in paths {
            store.add_path(path.as_ref())?;
        }
        Ok(store)
    }

    /// Adds one anchor. Returns false when the very same certificate is already in the store.
    ///
    /// A certificate that is no authority (`CA:FALSE`, or silent on the matter) is trusted itself, byte for byte, and
    /// vouches for no other. Certificates older than version 3 cannot say, and are taken for authorities.
    ///
    /// # Errors
    /// The certificate cannot serve as an anchor, or the store holds [`MAX_ANCHORS`].
    pub fn add(&mut self, anchor: &Certificate) -> Result<bool, TrustStoreError> {
        self.add_from(anchor, "the given certificate")
    }

    fn add_from(&mut self, anchor: &Certificate, origin: &str) -> Result<bool, TrustStoreError> {
        if self.known.contains(anchor.der().as_ref()) {
            self.duplicates += 1;
            return Ok(false);
        }
        if self.anchors.len() >= MAX_ANCHORS {
            return Err(TrustStoreError::TooManyAnchors {
                role: self.role.clone(),
                limit: MAX_ANCHORS,
            });
        }
        let webpki_anchor = webpki::anchor_from_trusted_cert(anchor.der()).map_err(|error| {
            TrustStoreError::BadCertificate {
                role: self.role.clone(),
                origin: origin.to_owned(),
                reason: format!("{} cannot serve as a trust anchor ({error})", anchor.subject()),
            }
        })?;
        self.hints = OnceLock::new();
        self.subjects
            .push(DistinguishedName::in_sequence(&webpki_anchor.subject));
        if extensions::may_issue(anchor) {
            self.webpki_anchors.push(webpki_anchor.to_owned());
            self.authorities.push(anchor.clone());
        }
        self.known.insert(anchor.der().as_ref().to_vec());
        self.anchors.push(anchor.clone());
        Ok(true)
    }

    /// Whom the store is for.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Number of different anchors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// True when the store trusts nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// How many certificates were given again after the first time.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// The anchors in the order they were added.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// The subjects of the anchors in DER, as a TLS server hints them to its clients; none when they are too many.
    pub(crate) fn hints(&self) -> Arc<[DistinguishedName]> {
        let make = || {
            let bytes: usize = self.subjects.iter().map(|name| name.as_ref().len() + 2).sum();
            if bytes > MAX_HINT_BYTES {
                Arc::default()
            } else {
                self.subjects.as_slice().into()
            }
        };
        Arc::clone(self.hints.get_or_init(make))
    }

    /// Checks that a path of valid signatures leads from `end_entity` to an anchor, that all of it is valid
    /// `now`, and that the certificate may be used for `usage`. No name is checked: see
    /// [`check_name`](Self::check_name).
    ///
    /// `intermediates` are the other certificates the peer sent, in any order. The rules are those of
    /// rustls-webpki (RFC 5280; a certificate without extended key usage may be used for everything), with
    /// two additions: a certificate that is itself in the store, byte for byte, needs no path; and an anchor
    /// that is no authority vouches for nobody else. Certificates
    /// of version 1, signed with SHA-1 or MD5, or with an RSA key under 2048 bits are refused.
    ///
    /// # Errors
    /// The [`TrustError`] that says which of the conditions failed.
    pub fn validate(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        self.validate_with(end_entity, intermediates, usage, now, Strength::Current, None)
    }

    /// As [`validate`](Self::validate), and no certificate of the path is revoked.
    ///
    /// # Errors
    /// The [`TrustError`] that says which of the conditions failed.
    pub fn validate_unrevoked(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
        revocation: &RevocationCheck,
    ) -> Result<(), TrustError> {
        self.validate_with(
            end_entity,
            intermediates,
            usage,
            now,
            Strength::Current,
            Some(revocation),
        )
    }

    /// Checks that `certificate` is for the name `expected`.
    ///
    /// # Errors
    /// [`TrustError::WrongName`] with every name the certificate presents.
    pub fn check_name(&self, certificate: &Certificate, expected: &ExpectedName) -> Result<(), TrustError> {
        expected.check(certificate)
    }
}

/// A trust store that can be replaced while connections run.
///
/// Clones share the store. A replacement holds from the next verification on. Connections that were admitted stay;
/// sessions from before are not resumed by a server of this crate.
#[derive(Clone, Debug)]
pub struct SharedTrustStore(Shared<TrustStore>);

impl SharedTrustStore {
    /// Shares a store.
    #[must_use]
    pub fn new(store: impl Into<Arc<TrustStore>>) -> Self {
        Self(Shared::new(store.into()))
    }

    /// The store of this moment. Takes no lock.
    #[must_use]
    pub fn load(&self) -> Arc<TrustStore> {
        self.0.load()
    }

    /// Puts another store in its place.
    pub fn replace(&self, store: impl Into<Arc<TrustStore>>) {
        self.0.replace(store.into());
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.generation()
    }
}

impl From<TrustStore> for SharedTrustStore {
    fn from(store: TrustStore) -> Self {
        Self::new(store)
    }
}

impl From<Arc<TrustStore>> for SharedTrustStore {
    fn from(store: Arc<TrustStore>) -> Self {
        Self::new(store)
    }
}
