//! The authlist: which peers are admitted, by MAC address, certificate type and key hash.
//!
//! A controller asks it after the peer's certificate has been validated (F001-25). The same list is known as
//! "AP authorization list" or `auth-list` on AireOS, and as `username … aaa attribute list …` on IOS-XE.
//!
//! [`AuthList`] is the list, [`SharedAuthList`] one that can be replaced while connections run. [`AuthList::import`]
//! and [`AuthList::export`] read and write the five text forms of [`AuthListFormat`].

mod entry;
mod export;
mod format;
mod import;
mod oracle;
mod refusal;

mod aireos;
mod csv_table;
mod ios_xe;
mod server_auth_info;
mod toml_table;

use std::collections::HashMap;
use std::sync::Arc;

use crate::certificate::{Certificate, CertificateType};
use crate::key_hash::{HashAlgorithm, KeyHash};
use crate::mac::MacAddr;
use crate::shared::Shared;

pub use entry::{AuthListConflict, AuthListEntry, AuthListType, UnknownAuthListType};
pub use export::ExportError;
pub use format::{AuthListFormat, UnknownAuthListFormat};
pub use import::{BadLine, ImportError, ImportOptions, LineProblem};
pub use oracle::import_oracle;
pub use refusal::AuthListRefusal;

/// The entries of an authlist. A look-up by MAC address takes constant time.
///
/// For one MAC address and certificate type there is at most one hash of each algorithm, so that no answer
/// depends on the order of entries.
///
/// ```
/// use pki_common::authlist::{AuthList, AuthListFormat};
///
/// let list = AuthList::import(
///     AuthListFormat::AireOs,
///     "config auth-list add lbs-ssc 00:50:56:9c:34:89 e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0\n",
/// )?;
/// assert_eq!(list.entries("0050.569c.3489".parse()?).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthList {
    /// The entries of one MAC address are sorted, so that equal lists compare equal.
    by_mac: HashMap<MacAddr, Vec<AuthListEntry>>,
    length: usize,
}

impl AuthList {
    /// An empty list: it admits nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. Gives `false` when the same entry is there already.
    ///
    /// # Errors
    /// [`AuthListConflict`] when the entry lacks the hash its type needs, or contradicts another entry. The list
    /// stays as it was.
    pub fn insert(&mut self, entry: AuthListEntry) -> Result<bool, AuthListConflict> {
        entry.check()?;
        let others = self.entries(entry.mac);
        let contradicted = others.iter().find(|other| {
            other.certificate_type() == entry.certificate_type()
                && other.algorithm() == entry.algorithm()
                && other.key_hash != entry.key_hash
        });
        if let Some(existing) = contradicted {
            return Err(AuthListConflict::Contradiction {
                existing: *existing,
                refused: entry,
            });
        }
        let Err(position) = others.binary_search_by_key(&entry.sort_key(), AuthListEntry::sort_key) else {
            return Ok(false);
        };
        self.by_mac.entry(entry.mac).or_default().insert(position, entry);
        self.length += 1;
        Ok(true)
    }

    /// Removes every entry of a MAC address and gives their number.
    pub fn remove(&mut self, mac: MacAddr) -> usize {
        let removed = self.by_mac.remove(&mac).map_or(0, |entries| entries.len());
        self.length -= removed;
        removed
    }

    /// Keeps only the entries that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&AuthListEntry) -> bool) {
        self.by_mac.retain(|_, entries| {
            entries.retain(&mut keep);
            !entries.is_empty()
        });
        self.length = self.by_mac.values().map(Vec::len).sum();
    }

    /// The entries of a MAC address.
    pub fn entries(&self, mac: MacAddr) -> &[AuthListEntry] {
        self.by_mac.get(&mac).map_or(&[], Vec::as_slice)
    }

    /// Every entry, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &AuthListEntry> {
        self.by_mac.values().flatten()
    }

    /// Every entry, by MAC address, certificate type and algorithm.
    pub fn sorted(&self) -> Vec<&AuthListEntry> {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by_key(|entry| (entry.mac, entry.sort_key()));
        entries
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Asks whether the list admits the holder of `certificate`, which the caller has validated as
    /// `validated_as`: a self-signed one by its own signature, any other one by the chain to a trust store.
    ///
    /// Of the entries for the certificate's MAC address and type, the one with the strongest digest decides
    /// alone: SHA-256, else SHA-1. An entry without a hash (MIC and LSC only) decides when there is none with.
    ///
    /// # Errors
    /// [`AuthListRefusal`], which keeps the vendor's classes apart.
    pub fn check(
        &self,
        certificate: &Certificate,
        validated_as: CertificateType,
    ) -> Result<&AuthListEntry, AuthListRefusal> {
        let Some(mac) = certificate.subject_mac() else {
            return Err(AuthListRefusal::NoMacInSubject {
                subject: certificate.subject().to_owned(),
            });
        };
        let entries = self.entries(mac);
        if entries.is_empty() {
            return Err(AuthListRefusal::NoEntry {
                mac,
                presented: validated_as,
                key_hash: certificate.key_hash(HashAlgorithm::Sha256),
            });
        }
        let candidates = || {
            entries
                .iter()
                .filter(|entry| entry.certificate_type() == validated_as)
        };
        let Some(deciding) = candidates().max_by_key(|entry| entry.algorithm()) else {
            return Err(AuthListRefusal::WrongCertificateType {
                mac,
                presented: validated_as,
                key_hash: certificate.key_hash(HashAlgorithm::Sha256),
                listed: listed_types(entries),
            });
        };
        if validated_as == CertificateType::Ssc && !certificate.is_self_signed() {
            return Err(AuthListRefusal::SelfSignedNotVerifiable {
                mac,
                key_hash: certificate.key_hash(HashAlgorithm::Sha256),
            });
        }
        match deciding.key_hash {
            Some(expected) if !expected.matches_spki(certificate.spki_der()) => {
                Err(AuthListRefusal::KeyHashMismatch {
                    mac,
                    presented: validated_as,
                    key_hash: certificate.key_hash(expected.algorithm()),
                    expected,
                })
            }
            _ => Ok(deciding),
        }
    }

    /// Every known hash of a MAC address.
    fn known_hashes(&self, mac: MacAddr) -> impl Iterator<Item = KeyHash> + '_ {
        self.entries(mac).iter().filter_map(|entry| entry.key_hash)
    }
}

/// The list types of some entries, each once.
fn listed_types(entries: &[AuthListEntry]) -> Vec<AuthListType> {
    let mut types: Vec<_> = entries.iter().map(|entry| entry.list_type).collect();
    types.dedup();
    types
}

impl<'a> IntoIterator for &'a AuthList {
    type Item = &'a AuthListEntry;
    type IntoIter = std::iter::Flatten<std::collections::hash_map::Values<'a, MacAddr, Vec<AuthListEntry>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.by_mac.values().flatten()
    }
}

/// An authlist that can be replaced while connections run.
///
/// Clones share the list. A check works on the list it loaded; a replacement holds from the next load on, and
/// connections that were admitted stay. Sessions from before are not resumed by a server of this crate.
#[derive(Clone, Debug)]
pub struct SharedAuthList(Shared<AuthList>);

impl SharedAuthList {
    /// Shares a list.
    pub fn new(list: AuthList) -> Self {
        Self(Shared::new(Arc::new(list)))
    }

    /// The list of this moment. Takes no lock.
    pub fn load(&self) -> Arc<AuthList> {
        self.0.load()
    }

    /// Puts another list in its place.
    pub fn replace(&self, list: AuthList) {
        self.0.replace(Arc::new(list));
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.generation()
    }
}

impl Default for SharedAuthList {
    fn default() -> Self {
        Self::new(AuthList::default())
    }
}

impl From<AuthList> for SharedAuthList {
    fn from(list: AuthList) -> Self {
        Self::new(list)
    }
}
