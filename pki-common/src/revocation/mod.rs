//! Revocation by certificate revocation lists (RFC 5280 section 5): full lists, from files in PEM or DER.
//!
//! [`RevocationLists`] holds the current list of each issuer, [`SharedRevocationLists`] lets them be replaced while
//! connections run, and [`RevocationCheck`] says what a verifier does with them
//! ([`PeerVerifier::with_revocation`](crate::tls::PeerVerifier::with_revocation)).
//!
//! rustls-webpki verifies the signature of a list again for every certificate, which costs a digest over megabytes
//! in each handshake. Here a list is parsed once, its signature is verified once per issuer key, and a look-up is one
//! access to a hash table.
//!
//! A check fails closed: without a current list of the issuer whose signature verifies, the certificate is refused.

mod check;
mod error;
mod list;
mod load;

use std::collections::HashMap;
use std::sync::Arc;

pub use check::{RevocationCheck, RevocationDepth};
pub use error::RevocationListError;
pub use list::{RevocationList, RevocationReason, RevokedCertificate};

use crate::certificate::Certificate;
use crate::shared::Shared;

/// Largest list that is read by default, in bytes: about 400,000 entries. The limit keeps a mistyped path from
/// filling the memory; [`RevocationLists::with_max_bytes`] changes it.
pub const MAX_REVOCATION_LIST_BYTES: u64 = 16 * 1024 * 1024;

/// Most lists that are held. A chain has a handful of issuers, and each has one list per scope.
pub const MAX_REVOCATION_LISTS: usize = 256;

/// The lists of the issuers of one role, the newest of each issuer, key and scope.
#[derive(Debug, Clone)]
pub struct RevocationLists {
    role: String,
    /// By the issuer's name in DER.
    by_issuer: HashMap<Vec<u8>, Vec<Arc<RevocationList>>>,
    max_bytes: u64,
}

impl RevocationLists {
    /// No lists yet. `role` says whose certificates they are for, as that of the trust store does.
    #[must_use]
    pub fn empty(role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            by_issuer: HashMap::new(),
            max_bytes: MAX_REVOCATION_LIST_BYTES,
        }
    }

    /// The same lists with another limit for the size of the next ones, in bytes.
    #[must_use]
    pub const fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Adds a list. Gives `false` when a newer one of the same issuer, key and scope is there already.
    ///
    /// Its signature is verified later, against the issuer of the certificate that is checked.
    ///
    /// # Errors
    /// [`RevocationListError`] when it cannot be read or used, or [`MAX_REVOCATION_LISTS`] are held.
    pub fn add_der(&mut self, der: &[u8]) -> Result<bool, RevocationListError> {
        self.add_bytes(der, "the given list")
    }

    fn add(&mut self, list: RevocationList, origin: &str) -> Result<bool, RevocationListError> {
        let full = self.len() >= MAX_REVOCATION_LISTS;
        let of_issuer = self.by_issuer.entry(list.issuer_der().to_vec()).or_default();
        if let Some(other) = of_issuer.iter_mut().find(|other| other.same_scope(&list)) {
            let newer = list.this_update() > other.this_update();
            if newer {
                *other = Arc::new(list);
            }
            return Ok(newer);
        }
        if full {
            return Err(RevocationListError::TooMany {
                role: self.role.clone(),
                origin: origin.to_owned(),
                limit: MAX_REVOCATION_LISTS,
            });
        }
        of_issuer.push(Arc::new(list));
        Ok(true)
    }

    /// Whose certificates the lists are for.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The lists, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &RevocationList> {
        self.by_issuer.values().flatten().map(AsRef::as_ref)
    }

    /// Number of lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_issuer.values().map(Vec::len).sum()
    }

    /// Whether there is no list. Then every certificate is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a certificate that was verified before is on a list by now: for connections that stay open. The
    /// signatures of the lists are not asked; that is for the next verification.
    #[must_use]
    pub fn revoked(&self, certificate: &Certificate) -> Option<RevokedCertificate> {
        self.of_issuer(certificate.issuer_der())
            .iter()
            .filter(|list| list.covers(certificate))
            .find_map(|list| list.entry(certificate.serial_number()))
    }

    fn of_issuer(&self, issuer_der: &[u8]) -> &[Arc<RevocationList>] {
        self.by_issuer.get(issuer_der).map_or(&[], Vec::as_slice)
    }
}

/// Lists that can be replaced while connections run.
///
/// Clones share the lists. A replacement holds from the next verification on. Connections that were admitted stay;
/// sessions from before are not resumed by a server of this crate.
#[derive(Clone, Debug)]
pub struct SharedRevocationLists(Shared<RevocationLists>);

impl SharedRevocationLists {
    /// Shares lists.
    #[must_use]
    pub fn new(lists: RevocationLists) -> Self {
        Self(Shared::new(Arc::new(lists)))
    }

    /// The lists of this moment. Takes no lock.
    #[must_use]
    pub fn load(&self) -> Arc<RevocationLists> {
        self.0.load()
    }

    /// Puts others in their place.
    pub fn replace(&self, lists: RevocationLists) {
        self.0.replace(Arc::new(lists));
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.generation()
    }
}

impl From<RevocationLists> for SharedRevocationLists {
    fn from(lists: RevocationLists) -> Self {
        Self::new(lists)
    }
}
