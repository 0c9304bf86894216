//! Certificates that are trusted because they were seen before: a file of pins, one line for each peer.
//!
//! A pin says more than an anchor: this very certificate, at this very name. It says nothing of who that is; somebody
//! has to compare the fingerprint with the peer's own, once. [`PeerVerifier::pinned_in`] accepts what the file has,
//! [`PeerVerifier::dangerous_pin_on_first_use`] also writes down what it sees first.
//!
//! [`PeerVerifier::pinned_in`]: crate::tls::PeerVerifier::pinned_in
//! [`PeerVerifier::dangerous_pin_on_first_use`]: crate::tls::PeerVerifier::dangerous_pin_on_first_use

mod error;
mod file;
mod lock;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::certificate::Certificate;
use crate::fingerprint::Fingerprint;
use crate::identity::write_private;
use crate::{HashAlgorithm, KeyHash};
use file::{Pins, Stamp};
use lock::StoreLock;

pub use error::{PinChange, PinStoreError};

/// Largest pin file that is read, in bytes: some 60,000 peers. The limit keeps a mistyped path from filling the memory.
pub const MAX_PIN_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Longest name of a peer, in bytes: a DNS name (RFC 1035 section 2.3.4) in brackets with a port.
pub const MAX_PEER_NAME_BYTES: usize = 255 + 8;

/// What is known of one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// SHA-256 of the certificate: what is compared.
    pub certificate: Fingerprint,
    /// SHA-256 of its public key: tells a renewed certificate from another peer's.
    pub key: KeyHash,
}

impl Pin {
    /// The pin of a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            certificate: Fingerprint::of(HashAlgorithm::Sha256, certificate),
            key: certificate.key_hash(HashAlgorithm::Sha256),
        }
    }
}

/// A pin and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedAt {
    /// The pin.
    pub pin: Pin,
    /// The line of the file, from 1.
    pub line: usize,
}

/// A file of pins. Several verifiers may share one store, and several processes one file: who writes holds a lock and
/// reads again before it writes (on Unix; elsewhere the last writer wins), and a change by somebody else is seen at the
/// next look-up.
///
/// A line has the name of the peer, the SHA-256 fingerprint of its certificate and the SHA-256 key hash, with blanks
/// between; empty lines and lines that begin with `#` are left alone. To let a peer have another certificate, take its
/// line out or call [`remove`](Self::remove).
///
/// The file is written as a whole under another name first, readable for its owner only (mode 0600).
#[derive(Debug)]
pub struct PinStore {
    path: PathBuf,
    /// What the file had when it was read last.
    known: Mutex<(Option<Stamp>, Arc<Pins>)>,
}

impl PinStore {
    /// Opens a file of pins; a file that is not there yet has none.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or a line is damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, PinStoreError> {
        let store = Self {
            path: path.into(),
            known: Mutex::new((None, Arc::default())),
        };
        store.current()?;
        Ok(store)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is pinned for a peer. Upper and lower case are the same.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn pin_of(&self, name: &str) -> Result<Option<PinnedAt>, PinStoreError> {
        let name = file::normalised(name)?;
        Ok(self.current()?.by_name.get(&name).copied())
    }

    /// How many peers have a pin.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn len(&self) -> Result<usize, PinStoreError> {
        Ok(self.current()?.by_name.len())
    }

    /// Whether no peer has a pin.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn is_empty(&self) -> Result<bool, PinStoreError> {
        Ok(self.len()? == 0)
    }

    /// Adds a pin and returns what is pinned now: this one, or the one that somebody else has pinned before.
    ///
    /// # Errors
    /// The name is none, or the file cannot be read or written.
    pub fn add(&self, name: &str, pin: Pin) -> Result<PinnedAt, PinStoreError> {
        let name = file::normalised(name)?;
        let _lock = StoreLock::take(&self.path)?;
        let pins = self.read_again()?;
        if let Some(pinned) = pins.by_name.get(&name) {
            return Ok(*pinned);
        }
        let text = file::with_line(&pins.text, &name, &pin);
        self.write(&text)?;
        let line = text.lines().count();
        Ok(PinnedAt { pin, line })
    }

    /// Takes a pin out; `false` if there was none.
    ///
    /// # Errors
    /// The name is none, or the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, PinStoreError> {
        let name = file::normalised(name)?;
        let _lock = StoreLock::take(&self.path)?;
        let pins = self.read_again()?;
        let Some(pinned) = pins.by_name.get(&name) else {
            return Ok(false);
        };
        self.write(&file::without_line(&pins.text, pinned.line))?;
        Ok(true)
    }

    fn write(&self, text: &str) -> Result<(), PinStoreError> {
        write_private(&self.path, text.as_bytes()).map_err(PinStoreError::Write)?;
        self.read_again().map(drop)
    }

    fn read_again(&self) -> Result<Arc<Pins>, PinStoreError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0 = None;
        self.current()
    }

    /// The pins as the file has them now; it is read only if it changed.
    fn current(&self) -> Result<Arc<Pins>, PinStoreError> {
        let stamp = Stamp::of(&self.path)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (known_stamp, pins) = &mut *known;
        if *known_stamp != stamp || stamp.is_none() {
            *pins = Arc::new(match stamp {
                Some(_) => file::read(&self.path)?,
                None => Pins::default(),
            });
            *known_stamp = stamp;
        }
        Ok(Arc::clone(pins))
    }
}

/// What the lines of a file mean, by name.
type ByName = HashMap<String, PinnedAt>;
