//! Key hashes: the digest an authlist pins a peer's public key with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::ladder::{Diagnose, Failure, Rung};
use crate::mac::nibble;

/// The digest algorithm of a [`KeyHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// 20 bytes, what AireOS asks for (F001-05).
    Sha1,
    /// 32 bytes, what IOS-XE asks for (F001-05).
    Sha256,
}

impl HashAlgorithm {
    /// The number of hexadecimal digits of a digest: 40 or 64.
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        })
    }
}

/// The digest of a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), not of the certificate (F001-44).
///
/// Equality takes the same time wherever two hashes differ. Text form: 40 or 64 hexadecimal digits; blanks,
/// tabs and colons between digits are skipped when reading.
///
/// ```
/// use pki_common::{HashAlgorithm, KeyHash};
///
/// let hash: KeyHash = "e0:af:be:2e 2abeed5a2f9ffc75f059da6a1bf2bfa0".parse()?;
/// assert_eq!(hash.algorithm(), HashAlgorithm::Sha1);
/// assert_eq!(hash.to_string(), "e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0");
/// # Ok::<(), pki_common::KeyHashParseError>(())
/// ```
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyHash {
    /// SHA-1, 40 digits.
    Sha1([u8; 20]),
    /// SHA-256, 64 digits.
    Sha256([u8; 32]),
}

impl KeyHash {
    /// The key hash of a DER SubjectPublicKeyInfo.
    pub fn of_spki(algorithm: HashAlgorithm, spki_der: &[u8]) -> Self {
        match algorithm {
            HashAlgorithm::Sha1 => Self::Sha1(Sha1::digest(spki_der).into()),
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::digest(spki_der).into()),
        }
    }

    /// Which digest this is.
    pub const fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha1(_) => HashAlgorithm::Sha1,
            Self::Sha256(_) => HashAlgorithm::Sha256,
        }
    }

    /// Whether this is the hash of `spki_der`, by this hash's own algorithm.
    pub fn matches_spki(&self, spki_der: &[u8]) -> bool {
        *self == Self::of_spki(self.algorithm(), spki_der)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(digest) => digest,
            Self::Sha256(digest) => digest,
        }
    }

    /// The digest's nibbles, most significant first.
    fn nibbles(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        self.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 0x0f])
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        // Different lengths compare unequal at once; a length is no secret.
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for KeyHash {}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({} {self})", self.algorithm())
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for KeyHash {
    type Error = KeyHashParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for KeyHash {
    type Err = KeyHashParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0_u8; 32];
        let mut found = 0_usize;
        for digit in digits(text) {
            let digit = digit?;
            if let Some(byte) = bytes.get_mut(found / 2) {
                *byte = (*byte << 4) | digit;
            }
            found += 1;
        }
        match (found, bytes.first_chunk()) {
            (40, Some(digest)) => Ok(Self::Sha1(*digest)),
            (64, _) => Ok(Self::Sha256(bytes)),
            _ => Err(KeyHashParseError::WrongLength {
                found,
                near_miss: None,
            }),
        }
    }
}

/// The hexadecimal digits of `text`, separators skipped.
fn digits(text: &str) -> impl Iterator<Item = Result<u8, KeyHashParseError>> + '_ {
    text.chars()
        .enumerate()
        .filter(|(_, character)| !matches!(character, ' ' | '\t' | ':'))
        .map(|(index, character)| {
            nibble(character).ok_or(KeyHashParseError::NotHexadecimal {
                position: index + 1,
                character,
            })
        })
}

/// Why a text is not a key hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyHashParseError {
    /// A character is neither a hexadecimal digit nor a blank, tab or colon.
    #[error("{character:?} at position {position} of the key hash is not a hexadecimal digit")]
    NotHexadecimal {
        /// Where, in characters from 1.
        position: usize,
        /// What stands there.
        character: char,
    },
    /// The number of digits fits neither SHA-1 nor SHA-256.
    #[error(
        "the key hash has {found} hexadecimal digits, expected 40 (SHA-1) or 64 (SHA-256){}",
        near_miss.as_ref().map(|near_miss| format!("; it {near_miss}")).unwrap_or_default()
    )]
    WrongLength {
        /// Hexadecimal digits found.
        found: usize,
        /// A known hash this one seems to be a damaged copy of; see [`KeyHashParseError::compared_with`].
        near_miss: Option<NearMiss>,
    },
}

impl KeyHashParseError {
    /// Adds the known hash, if any, that `text` (the text that did not parse) is a damaged copy of.
    ///
    /// Only a wrong length can be explained so; other errors come back unchanged. When several known hashes
    /// resemble the text, the one with the most agreeing digits is named.
    #[must_use]
    pub fn compared_with(self, text: &str, known: impl IntoIterator<Item = KeyHash>) -> Self {
        let Self::WrongLength { found, .. } = self else {
            return self;
        };
        // A longer text is no copy of one hash: not worth comparing.
        const MAX_COMPARED_DIGITS: usize = 2 * HashAlgorithm::Sha256.digits();
        if found > MAX_COMPARED_DIGITS {
            return self;
        }
        let digits: Vec<u8> = digits(text).filter_map(Result::ok).collect();
        let near_miss = known
            .into_iter()
            .filter_map(|known| NearMiss::between(&digits, known))
            .max_by_key(|near_miss| {
                (
                    near_miss.kind != NearMissKind::Altered,
                    near_miss.leading + near_miss.trailing,
                )
            });
        Self::WrongLength { found, near_miss }
    }
}

impl Diagnose for KeyHashParseError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::WrongLength {
                near_miss: Some(near_miss),
                ..
            } => {
                format!(
                    "If that device is meant, its key hash is {}: enter this.",
                    near_miss.known
                )
            }
            _ => "Copy the whole key hash as `show server-auth-info` prints it.".to_owned(),
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

/// A known hash that a damaged text resembles, and how far they agree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearMiss {
    /// The hash it resembles.
    pub known: KeyHash,
    /// In which way the text is damaged.
    pub kind: NearMissKind,
    /// Agreeing digits from the start.
    pub leading: usize,
    /// Agreeing digits from the end, none of them counted in `leading`.
    pub trailing: usize,
}

/// How a text differs from the known hash it resembles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearMissKind {
    /// Digits are missing in one place; all digits that are there agree.
    Truncated,
    /// Digits were added in one place; all digits of the known hash are there.
    Extended,
    /// Start and end agree, something between them differs.
    Altered,
}

impl NearMiss {
    /// Fewer agreeing digits than this prove nothing. 16 digits are 64 bits: with the at most 17 ways to split
    /// them into start and end, an unrelated hash agrees with probability below 2^-59.
    const MIN_AGREEING_DIGITS: usize = 16;

    fn between(found: &[u8], known: KeyHash) -> Option<Self> {
        let known_digits = known.algorithm().digits();
        let shorter = found.len().min(known_digits);
        let leading = found
            .iter()
            .zip(known.nibbles())
            .take_while(|(a, b)| **a == *b)
            .count();
        let trailing = found
            .iter()
            .rev()
            .zip(known.nibbles().rev())
            .take_while(|(a, b)| **a == *b)
            .count();
        // Repeated digits can be counted from both sides: count them once, in the leading part.
        let trailing = trailing.min(shorter - leading);
        if leading + trailing < Self::MIN_AGREEING_DIGITS {
            return None;
        }
        let kind = if leading + trailing < shorter {
            NearMissKind::Altered
        } else if found.len() < known_digits {
            NearMissKind::Truncated
        } else {
            NearMissKind::Extended
        };
        Some(Self {
            known,
            kind,
            leading,
            trailing,
        })
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            known,
            kind,
            leading,
            trailing,
        } = self;
        match kind {
            NearMissKind::Truncated => write!(
                f,
                "looks like a truncated copy of {known}: {leading} leading and {trailing} trailing digits agree"
            ),
            NearMissKind::Extended => write!(
                f,
                "looks like a copy of {known} with digits added after digit {leading}: {leading} leading and \
                 {trailing} trailing digits agree"
            ),
            NearMissKind::Altered => write!(
                f,
                "resembles {known}: {leading} leading and {trailing} trailing digits agree, those between differ"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cisco document 200206: the hash `show server-auth-info` prints, and its copy in the configuration.
    const PRINTED: &str = "6ab919e20afc103d025aaf210c2a9dda151af9403ef52e80a35ae1ecb6d3c177";
    const DAMAGED: &str = "6ab919e20afc103d025aaf210c2a9dda151af9403ef52e35ae1ecb6d3c 177";

    pub(crate) fn ssc_spki() -> Vec<u8> {
        let digits: Vec<u8> = digits(include_str!("../testdata/ssc_spki.hex").trim_end())
            .collect::<Result<_, _>>()
            .unwrap();
        digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect()
    }

    #[test]
    fn gives_the_published_hash_of_the_published_key() {
        let spki = ssc_spki();
        assert_eq!(spki.len(), 294);
        let sha1 = KeyHash::of_spki(HashAlgorithm::Sha1, &spki);
        assert_eq!(sha1.to_string(), "9e4ddd8dfcdd8458ba7b273fc37284b31a384eb9");
        let sha256 = KeyHash::of_spki(HashAlgorithm::Sha256, &spki);
        assert_eq!(
            sha256.to_string(),
            "1278ff9083582f5a499d8e498abd7ab8038571ec45a1adfbae7f0bed7f5215a1"
        );
        assert!(sha1.matches_spki(&spki) && sha256.matches_spki(&spki));
        assert!(!sha1.matches_spki(&spki[1..]));
    }

    #[test]
    fn refuses_the_damaged_hash_and_says_what_is_missing() {
        let error = DAMAGED.parse::<KeyHash>().unwrap_err();
        assert_eq!(
            error,
            KeyHashParseError::WrongLength {
                found: 61,
                near_miss: None
            }
        );
        assert_eq!(
            error.to_string(),
            "the key hash has 61 hexadecimal digits, expected 40 (SHA-1) or 64 (SHA-256)"
        );
        let sha1 = "e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0".parse().unwrap();
        let explained = error.compared_with(DAMAGED, [sha1, PRINTED.parse().unwrap()]);
        assert_eq!(
            explained.to_string(),
            format!(
                "the key hash has 61 hexadecimal digits, expected 40 (SHA-1) or 64 (SHA-256); it looks like a \
                 truncated copy of {PRINTED}: 46 leading and 15 trailing digits agree"
            )
        );
    }

    #[test]
    fn tells_the_kinds_of_damage_apart() {
        let known: KeyHash = PRINTED.parse().unwrap();
        for (text, expected) in [
            (PRINTED[..60].to_owned(), Some((NearMissKind::Truncated, 60, 0))),
            (PRINTED[4..].to_owned(), Some((NearMissKind::Truncated, 0, 60))),
            (PRINTED[..16].to_owned(), Some((NearMissKind::Truncated, 16, 0))),
            (PRINTED[..15].to_owned(), None),
            (format!("{PRINTED}0"), Some((NearMissKind::Extended, 64, 0))),
            (
                format!("{}0{}", &PRINTED[..20], &PRINTED[20..]),
                Some((NearMissKind::Extended, 20, 44)),
            ),
            (
                format!("{PRINTED}{PRINTED}"),
                Some((NearMissKind::Extended, 64, 0)),
            ),
            (format!("{PRINTED}{PRINTED}0"), None),
            (
                format!("{}ff{}", &PRINTED[..30], &PRINTED[40..]),
                Some((NearMissKind::Altered, 30, 24)),
            ),
            ("0".repeat(61), None),
            (String::new(), None),
        ] {
            let error = text.parse::<KeyHash>().unwrap_err().compared_with(&text, [known]);
            let KeyHashParseError::WrongLength { near_miss, .. } = error else {
                panic!("{text}: {error}")
            };
            assert_eq!(
                near_miss.map(|n| (n.kind, n.leading, n.trailing)),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn counts_a_repeated_digit_once() {
        let known: KeyHash = "1".repeat(64).parse().unwrap();
        let near_miss = NearMiss::between(&[1; 61], known).unwrap();
        assert_eq!((near_miss.leading, near_miss.trailing), (61, 0));
    }

    #[test]
    fn names_the_position_of_a_character_that_is_no_digit() {
        for (text, position, character) in [("6ab9 1x", 7, 'x'), ("-", 1, '-'), ("ab\ncd", 3, '\n')] {
            assert_eq!(
                text.parse::<KeyHash>(),
                Err(KeyHashParseError::NotHexadecimal { position, character })
            );
        }
    }

    #[test]
    fn a_sha1_and_a_sha256_hash_are_never_equal() {
        assert_ne!(KeyHash::Sha1([0; 20]), KeyHash::Sha256([0; 32]));
        assert_eq!(KeyHash::Sha256([7; 32]), KeyHash::Sha256([7; 32]));
        assert_ne!(KeyHash::Sha256([7; 32]), KeyHash::Sha256([8; 32]));
    }

    proptest! {
        #[test]
        fn reads_back_what_it_prints(digest: [u8; 32], short: [u8; 20]) {
            for hash in [KeyHash::Sha256(digest), KeyHash::Sha1(short)] {
                prop_assert_eq!(hash.to_string().parse(), Ok(hash));
                let spaced: String = hash.to_string().chars().flat_map(|c| [c, ':', ' ', '\t']).collect();
                prop_assert_eq!(spaced.to_uppercase().parse(), Ok(hash));
            }
        }

        #[test]
        fn a_run_of_missing_digits_is_always_recognised(digest: [u8; 32], start in 0_usize..60, length in 1_usize..20) {
            let known = KeyHash::Sha256(digest);
            let mut text = known.to_string();
            text.replace_range(start..(start + length).min(64), "");
            let near_miss = NearMiss::between(&digits(&text).map(Result::unwrap).collect::<Vec<_>>(), known).unwrap();
            prop_assert_eq!(near_miss.kind, NearMissKind::Truncated);
            prop_assert_eq!(near_miss.leading + near_miss.trailing, text.len());
        }

        #[test]
        fn no_text_panics(text: String) {
            if let Err(error) = text.parse::<KeyHash>() {
                let _text = error.compared_with(&text, [KeyHash::Sha1([0; 20])]).to_string();
            }
        }
    }
}
