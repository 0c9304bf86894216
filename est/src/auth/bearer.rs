//! Bearer tokens (RFC 6750): the header, and a file of accepted ones.

use core::fmt;
use core::str::FromStr;
use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use pki_common::{Diagnose, Failure, Rung};
use rand_core::{OsRng, RngCore as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::basic::MAX_USER_NAME;
use super::challenge::quotable;
use super::digest::{SecretFault, SecretFileError, SecretLineFault};

/// The longest token, in bytes: a signed token with a dozen claims has about 2 KiB, and servers bound their headers at
/// 8 KiB.
pub const MAX_BEARER_TOKEN: usize = 6 * 1024;

/// A token as a client presents it and a server checks it. It is wiped from memory when this is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(Zeroizing<String>);

impl BearerToken {
    /// A token to present or to check.
    ///
    /// # Errors
    /// [`BearerError`] when RFC 6750, section 2.1 cannot carry it.
    pub fn new(token: impl Into<String>) -> Result<Self, BearerError> {
        let token = Zeroizing::new(token.into());
        if token.len() > MAX_BEARER_TOKEN {
            return Err(BearerError::TooLong { found: token.len() });
        }
        // b64token of RFC 6750, section 2.1.
        let body = token.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        match body.bytes().position(|byte| !allowed(byte)) {
            Some(position) => Err(BearerError::Character { position }),
            None if body.is_empty() => Err(BearerError::Empty),
            None => Ok(Self(token)),
        }
    }

    /// A new token of 256 random bits.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(bytes.as_mut_slice());
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    /// Reads the value of an `Authorization` header, `None` when its scheme is not Bearer.
    ///
    /// # Errors
    /// [`BearerError`] when the scheme is Bearer but no token follows.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, BearerError> {
        let Some((scheme, rest)) = value.split_at_checked("Bearer".len()) else {
            return Ok(None);
        };
        if !scheme.eq_ignore_ascii_case(b"Bearer") || rest.first().is_some_and(|byte| *byte != b' ') {
            return Ok(None);
        }
        let text = rest.trim_ascii();
        let text = core::str::from_utf8(text).map_err(|error| BearerError::Character {
            position: error.valid_up_to(),
        })?;
        Self::new(text).map(Some)
    }

    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of an `Authorization` header that carries the token, marked as sensitive.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.as_str()));
        let mut value = HeaderValue::from_str(&text).expect("a token is printable ASCII");
        value.set_sensitive(true);
        value
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl FromStr for BearerToken {
    type Err = BearerError;

    /// White space around the token is dropped: files end with a newline.
    fn from_str(text: &str) -> Result<Self, BearerError> {
        Self::new(text.trim())
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").finish_non_exhaustive()
    }
}

/// `Bearer realm="…"` (RFC 6750, section 3); `refused` adds that the token was looked at and is not good.
#[must_use]
pub fn bearer_challenge(realm: &str, refused: bool) -> HeaderValue {
    let error = if refused { ", error=\"invalid_token\"" } else { "" };
    HeaderValue::try_from(format!("Bearer realm=\"{}\"{error}", quotable(realm)))
        .unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}

/// An `Authorization: Bearer` header that RFC 6750 does not allow. Never repeats what the header held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// Longer than [`MAX_BEARER_TOKEN`].
    #[error("the bearer token is too long: {found} bytes, at most {MAX_BEARER_TOKEN} are accepted")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Nothing there, or padding alone.
    #[error("the bearer token is empty")]
    Empty,
    /// A character that a token cannot have.
    #[error(
        "the bearer token has a character at byte {position} that RFC 6750 section 2.1 does not allow there"
    )]
    Character {
        /// Offset in the token.
        position: usize,
    },
}

impl Diagnose for BearerError {
    fn diagnose(&self) -> Failure {
        let remedy = "Give the token alone, as its issuer printed it, without quotes or line ends.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

/// The verdict on a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenVerdict {
    /// It stands for this user.
    Valid {
        /// The name that goes into the log and the record of the authority.
        user: String,
    },
    /// It is unknown, or its time is over.
    Invalid,
}

/// The tokens that a server accepts: `name:hash[:expiry]` a line, with the SHA-256 of the token in hexadecimal and a
/// time like `2030-12-31T23:59:59Z`.
///
/// A token is random and has at least 128 bits, so its hash needs no salt and no stretching. A name may have several
/// tokens, so that one can be replaced while the other is still in use.
#[derive(Default, Clone)]
pub struct BearerTokens {
    /// By hash. The time of this look-up tells something about the hash of what was presented, and so nothing about a
    /// token.
    entries: HashMap<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    user: String,
    hash: [u8; 32],
    expiry: Option<OffsetDateTime>,
}

impl BearerTokens {
    /// No tokens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`SecretFileError`] when it cannot be read or when any line is wrong; then nothing is taken from it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SecretFileError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| SecretFileError::Unreadable {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        Self::parse(&text).map_err(|faults| SecretFileError::Lines {
            path: path.to_owned(),
            faults,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every wrong line with its number.
    pub fn parse(text: &str) -> Result<Self, Vec<SecretLineFault>> {
        let mut tokens = Self::new();
        let mut faults = Vec::new();
        for (line, number) in super::entries(text) {
            if let Err(fault) = tokens.read_line(line) {
                faults.push(SecretLineFault { line: number, fault });
            }
        }
        if faults.is_empty() {
            Ok(tokens)
        } else {
            Err(faults)
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), SecretFault> {
        let (user, rest) = line.split_once(':').ok_or(SecretFault::NotThreeFields)?;
        let (hash, expiry) = match rest.split_once(':') {
            Some((hash, expiry)) => (hash, Some(expiry)),
            None => (rest, None),
        };
        let hash = super::digest::bytes_of(hash).ok_or(SecretFault::BadHash)?;
        let expiry = expiry
            .map(|text| OffsetDateTime::parse(text, &Rfc3339))
            .transpose()
            .map_err(|_| SecretFault::BadExpiry)?;
        self.insert_hash(user, hash, expiry)
    }

    fn insert_hash(
        &mut self,
        user: &str,
        hash: [u8; 32],
        expiry: Option<OffsetDateTime>,
    ) -> Result<(), SecretFault> {
        let bad = |c: char| c == ':' || c.is_control();
        if user.is_empty() || user.len() > MAX_USER_NAME || user.starts_with('#') || user.contains(bad) {
            return Err(SecretFault::BadName);
        }
        if self.entries.contains_key(&hash) {
            return Err(SecretFault::Duplicate);
        }
        let user = user.to_owned();
        self.entries.insert(hash, Entry { user, hash, expiry });
        Ok(())
    }

    /// Makes a new token for a user, good until `expiry` or for ever. Only its hash is kept here.
    ///
    /// # Errors
    /// [`SecretFault::BadName`] when the name cannot stand in the file.
    pub fn issue(&mut self, user: &str, expiry: Option<OffsetDateTime>) -> Result<BearerToken, SecretFault> {
        let token = BearerToken::random();
        self.insert_hash(user, token.hash(), expiry)?;
        Ok(token)
    }

    /// The verdict on a token.
    #[must_use]
    pub fn verify(&self, token: &BearerToken, now: SystemTime) -> TokenVerdict {
        let hash = token.hash();
        let found = self.entries.get(&hash).filter(|entry| {
            let same: bool = entry.hash.ct_eq(&hash).into();
            same && entry
                .expiry
                .is_none_or(|expiry| OffsetDateTime::from(now) < expiry)
        });
        found.map_or(TokenVerdict::Invalid, |entry| TokenVerdict::Valid {
            user: entry.user.clone(),
        })
    }

    /// Removes all tokens of a user and tells how many there were.
    pub fn remove(&mut self, user: &str) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.user != user);
        before - self.entries.len()
    }

    /// User and expiry of each token, by name.
    #[must_use]
    pub fn list(&self) -> Vec<(&str, Option<OffsetDateTime>)> {
        let entries = self.entries.values();
        let mut listed: Vec<_> = entries.map(|entry| (entry.user.as_str(), entry.expiry)).collect();
        listed.sort();
        listed
    }

    /// The text of a file with these tokens, sorted.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |entry: &Entry| {
            let hash = super::digest::text_of(&entry.hash);
            let expiry = entry.expiry.and_then(|expiry| expiry.format(&Rfc3339).ok());
            let expiry = expiry.map_or_else(String::new, |expiry| format!(":{expiry}"));
            format!("{}:{}{expiry}\n", entry.user, hash.as_str())
        };
        let mut lines: Vec<_> = self.entries.values().map(line).collect();
        lines.sort();
        lines.concat()
    }
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerTokens")
            .field("tokens", &self.entries.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn reads_the_example_of_rfc_6750() {
        let found = BearerToken::parse(b"Bearer mF_9.B5f-4.1JqM").unwrap().unwrap();
        assert_eq!(found.as_str(), "mF_9.B5f-4.1JqM");
        assert_eq!(found.to_header(), "Bearer mF_9.B5f-4.1JqM");
        assert!(!format!("{found:?}").contains("mF_9"));
        for value in ["Basic YTpi", "Bearerx a", "Bea"] {
            assert_eq!(BearerToken::parse(value.as_bytes()), Ok(None));
        }
        for (value, fault) in [
            ("Bearer", BearerError::Empty),
            ("Bearer ==", BearerError::Empty),
            ("Bearer a b", BearerError::Character { position: 1 }),
            ("Bearer \"a\"", BearerError::Character { position: 0 }),
            ("Bearer a=b", BearerError::Character { position: 1 }),
        ] {
            assert_eq!(BearerToken::parse(value.as_bytes()), Err(fault), "{value}");
        }
        assert_eq!(
            " eyJh.bGci-_~+/== \n".parse(),
            BearerToken::new("eyJh.bGci-_~+/==")
        );
        assert_eq!(
            "a\r\nX: y".parse::<BearerToken>(),
            Err(BearerError::Character { position: 1 })
        );
        let long = format!("Bearer {}", "a".repeat(MAX_BEARER_TOKEN + 1));
        assert!(matches!(
            BearerToken::parse(long.as_bytes()),
            Err(BearerError::TooLong { .. })
        ));
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let mut tokens = BearerTokens::new();
        let end = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        let ending = tokens.issue("phone", Some(end.into())).unwrap();
        let lasting = tokens.issue("phone", None).unwrap();
        let tokens = BearerTokens::parse(&tokens.to_text()).unwrap();
        let phone = TokenVerdict::Valid { user: "phone".into() };
        assert_eq!(tokens.verify(&ending, end - Duration::from_secs(1)), phone);
        assert_eq!(tokens.verify(&ending, end), TokenVerdict::Invalid);
        assert_eq!(tokens.verify(&lasting, end), phone);
        assert_eq!(tokens.verify(&BearerToken::random(), end), TokenVerdict::Invalid);
    }

    #[test]
    fn accepts_the_hash_that_sha256sum_prints() {
        // printf %s abc | sha256sum; the example of FIPS 180-4.
        let text = "ci:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
        let tokens = BearerTokens::parse(text).unwrap();
        let token = BearerToken::new("abc").unwrap();
        assert_eq!(
            tokens.verify(&token, UNIX_EPOCH),
            TokenVerdict::Valid { user: "ci".into() }
        );
        assert_eq!(tokens.to_text(), text);
    }

    #[test]
    fn names_every_wrong_line() {
        let hash = "ab".repeat(32);
        let text = format!("plain\na:b\na:{hash}:soon\n:{hash}\na:{hash}\nb:{hash}\n");
        let faults = BearerTokens::parse(&text).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.line, fault.fault)).collect();
        assert_eq!(
            found,
            [
                (1, SecretFault::NotThreeFields),
                (2, SecretFault::BadHash),
                (3, SecretFault::BadExpiry),
                (4, SecretFault::BadName),
                (6, SecretFault::Duplicate),
            ]
        );
    }
}
