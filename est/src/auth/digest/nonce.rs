//! Nonces without memory: time, randomness, and a MAC that binds both to the realm.

use core::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use pki_common::{Diagnose, Failure, Rung};
use rand_core::{OsRng, RngCore as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::algorithm::hexadecimal;
use crate::wire::hexadecimal::decode;

/// How far the clocks of the servers that share a key may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

const RANDOM: usize = 12;
const TAG: usize = 16;

/// The key of the nonces. Servers that share it recognise each other's; a key of its own per process is fine for one
/// server, whose clients then have to ask twice after a restart.
pub struct NonceKey(Zeroizing<[u8; 32]>);

/// A nonce that this key has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KnownNonce {
    /// Milliseconds since 1970.
    pub(super) issued: u64,
    /// Distinguishes it from all others.
    pub(super) tag: [u8; TAG],
    pub(super) fresh: bool,
}

impl NonceKey {
    /// A key that nobody else has.
    #[must_use]
    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(key.as_mut_slice());
        Self(key)
    }

    /// A key shared by other means.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`NonceKeyError`] when it cannot be read or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NonceKeyError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| NonceKeyError::Unreadable {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        let text = Zeroizing::new(text);
        let bytes = decode(text.trim()).map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        key.map(Self::from_bytes).ok_or_else(|| NonceKeyError::Malformed {
            path: path.to_owned(),
        })
    }

    /// The content of a key file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = hexadecimal(self.0.as_slice());
        text.push('\n');
        text
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        super::verifier::equal(self.0.as_slice(), other.0.as_slice())
    }

    /// A nonce made at `now` with this randomness.
    pub(super) fn issue(&self, realm: &str, now: SystemTime, random: [u8; RANDOM]) -> String {
        let mut bytes = [0; 8 + RANDOM + TAG];
        let (head, tag) = bytes.split_at_mut(8 + RANDOM);
        let (time, place) = head.split_at_mut(8);
        time.copy_from_slice(&milliseconds(now).to_be_bytes());
        place.copy_from_slice(&random);
        tag.copy_from_slice(&self.tag(realm, head));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether this key has made the nonce for this realm; `None` when not.
    pub(super) fn recognise(
        &self,
        nonce: &str,
        realm: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> Option<KnownNonce> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let bytes = <[u8; 8 + RANDOM + TAG]>::try_from(bytes).ok()?;
        let (head, found) = bytes.split_at(8 + RANDOM);
        let tag = self.tag(realm, head);
        if !super::verifier::equal(&tag, found) {
            return None;
        }
        let (time, _) = head.split_first_chunk::<8>()?;
        let issued = u64::from_be_bytes(*time);
        let (now, skew) = (milliseconds(now), milliseconds(UNIX_EPOCH + CLOCK_SKEW));
        let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let fresh = issued <= now.saturating_add(skew) && now <= issued.saturating_add(lifetime);
        Some(KnownNonce { issued, tag, fresh })
    }

    /// A text that depends on the key and the user only, hashed in place of the secret of a user who does not exist.
    pub(super) fn stand_in(&self, user: &str, realm: &str) -> Zeroizing<String> {
        let tag = self.mac(b"stand-in", &[user.as_bytes(), realm.as_bytes()]);
        hexadecimal(&tag)
    }

    fn tag(&self, realm: &str, head: &[u8]) -> [u8; TAG] {
        let mac = self.mac(b"nonce", &[realm.as_bytes(), head]);
        let mut tag = [0; TAG];
        tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        tag
    }

    fn mac(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes a key of any length (RFC 2104)");
        // Each part is preceded by its length, so that no two lists give the same input.
        for part in [purpose].iter().chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceKey").finish_non_exhaustive()
    }
}

/// A key file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceKeyError {
    /// The file cannot be read.
    #[error("nonce key {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: String,
    },
    /// The file holds something else.
    #[error("nonce key {}: not 64 hexadecimal digits", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Diagnose for NonceKeyError {
    fn diagnose(&self) -> Failure {
        let remedy = "Make the file with `openssl rand -hex 32`, readable by the server only.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_its_own_within_their_lifetime_and_realm() {
        let (key, other) = (NonceKey::from_bytes([1; 32]), NonceKey::from_bytes([2; 32]));
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let life = Duration::from_secs(300);
        let nonce = key.issue("EST", now, [7; 12]);
        let fresh =
            |key: &NonceKey, realm, now| key.recognise(&nonce, realm, now, life).map(|found| found.fresh);
        assert_eq!(fresh(&key, "EST", now), Some(true));
        assert_eq!(fresh(&key, "EST", now + life), Some(true));
        assert_eq!(
            fresh(&key, "EST", now + life + Duration::from_millis(1)),
            Some(false)
        );
        assert_eq!(fresh(&key, "EST", now - Duration::from_secs(60)), Some(true));
        assert_eq!(fresh(&key, "EST", now - Duration::from_secs(61)), Some(false));
        assert_eq!(fresh(&key, "other", now), None);
        assert_eq!(fresh(&other, "EST", now), None);
    }

    #[test]
    fn a_changed_nonce_is_a_foreign_one() {
        let key = NonceKey::from_bytes([1; 32]);
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let nonce = key.issue("EST", now, [7; 12]);
        for position in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let found = key.recognise(&changed, "EST", now, Duration::from_secs(300));
            assert_eq!(found, None, "{position}");
        }
        for text in ["", "AAAA", "!"] {
            assert_eq!(key.recognise(text, "EST", now, Duration::from_secs(300)), None);
        }
    }

    #[test]
    fn a_key_file_is_read_back_and_a_wrong_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nonce.key");
        let key = NonceKey::random();
        std::fs::write(&path, key.to_text().as_bytes()).unwrap();
        assert_eq!(NonceKey::load(&path).unwrap().0, key.0);
        std::fs::write(&path, "abcd\n").unwrap();
        let error = NonceKey::load(&path).unwrap_err();
        assert!(error.to_string().contains("nonce.key"), "{error}");
        assert!(matches!(
            NonceKey::load(folder.path()),
            Err(NonceKeyError::Unreadable { .. })
        ));
    }
}
