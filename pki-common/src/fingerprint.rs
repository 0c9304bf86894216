//! Fingerprints of whole certificates, as a person compares them.

use core::fmt;
use core::str::FromStr;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::HashAlgorithm;
use crate::certificate::Certificate;
use crate::ladder::{Diagnose, Failure, Rung};

/// The digest of a certificate's DER, what `openssl x509 -fingerprint` prints.
///
/// Not to be mixed up with a [`KeyHash`](crate::KeyHash), which is of the public key alone.
///
/// Reads hexadecimal digits in any case, with or without colons, blanks and OpenSSL's `sha256 Fingerprint=` before
/// them; the number of digits tells the algorithm. Displays as OpenSSL does:
///
/// ```
/// use pki_common::Fingerprint;
///
/// let read: Fingerprint = "da39a3ee 5e6b4b0d 3255bfef 95601890 afd80709".parse()?;
/// assert_eq!(read.to_string(), "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09");
/// # Ok::<(), pki_common::FingerprintParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fingerprint {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-1: to compare with what an old tool prints; too weak to pin a certificate by.
    Sha1([u8; 20]),
}

impl Fingerprint {
    /// The fingerprint of a certificate.
    #[must_use]
    pub fn of(algorithm: HashAlgorithm, certificate: &Certificate) -> Self {
        Self::of_der(algorithm, certificate.der())
    }

    /// The fingerprint of a certificate's DER.
    #[must_use]
    pub fn of_der(algorithm: HashAlgorithm, der: &[u8]) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::digest(der).into()),
            HashAlgorithm::Sha1 => Self::Sha1(Sha1::digest(der).into()),
        }
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256(_) => HashAlgorithm::Sha256,
            Self::Sha1(_) => HashAlgorithm::Sha1,
        }
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(digest) => digest,
            Self::Sha1(digest) => digest,
        }
    }

    /// Whether it is the fingerprint of this certificate.
    #[must_use]
    pub fn matches(&self, certificate: &Certificate) -> bool {
        self.matches_der(certificate.der())
    }

    /// Whether it is the fingerprint of this DER.
    #[must_use]
    pub fn matches_der(&self, der: &[u8]) -> bool {
        Self::of_der(self.algorithm(), der) == *self
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.as_bytes().iter().enumerate() {
            let separator = if position == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintParseError {
    /// A character that is no hexadecimal digit.
    #[error("{character:?} at position {position} is no hexadecimal digit of a fingerprint")]
    NoDigit {
        /// The character.
        character: char,
        /// Its position in the text, counted in characters from 1.
        position: usize,
    },
    /// Too few or too many digits.
    #[error("a fingerprint has 64 (SHA-256) or 40 (SHA-1) hexadecimal digits, this one has {digits}")]
    WrongLength {
        /// Digits found.
        digits: usize,
    },
}

impl Diagnose for FingerprintParseError {
    fn diagnose(&self) -> Failure {
        Failure::new(
            Rung::Local,
            format!("{self}."),
            "Copy the fingerprint that `openssl x509 -noout -fingerprint -sha256` prints.",
        )
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What stands before the equals sign is the label.
        let first = text
            .chars()
            .position(|character| character == '=')
            .map_or(0, |equals| equals + 1);
        let mut digits = Vec::new();
        for (position, character) in text.chars().enumerate().skip(first) {
            match character.to_digit(16) {
                Some(digit) => digits.push(u8::try_from(digit).unwrap_or_default()),
                None if character == ':' || character.is_whitespace() => {}
                None => {
                    return Err(FingerprintParseError::NoDigit {
                        character,
                        position: position + 1,
                    });
                }
            }
        }
        let wrong_length = FingerprintParseError::WrongLength { digits: digits.len() };
        let (pairs, odd) = digits.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(wrong_length);
        }
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        if let Ok(digest) = <[u8; 32]>::try_from(&*bytes) {
            return Ok(Self::Sha256(digest));
        }
        <[u8; 20]>::try_from(&*bytes)
            .map(Self::Sha1)
            .map_err(|_| wrong_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_openssl_and_people_write() {
        let expected = Fingerprint::of_der(HashAlgorithm::Sha256, b"");
        let openssl = expected.to_string();
        for text in [
            openssl.clone(),
            format!("sha256 Fingerprint={openssl}"),
            format!("SHA256 Fingerprint={openssl}\n"),
            openssl.replace(':', "").to_lowercase(),
            openssl.replace(':', " "),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert!(openssl.starts_with("E3:B0:C4:42:98:FC:1C:14"), "{openssl}");
    }

    #[test]
    fn refuses_what_is_no_fingerprint_and_says_where() {
        assert_eq!(
            "AA:BG".parse::<Fingerprint>(),
            Err(FingerprintParseError::NoDigit {
                character: 'G',
                position: 5
            })
        );
        assert_eq!(
            "sha1 Fingerprint=zz".parse::<Fingerprint>(),
            Err(FingerprintParseError::NoDigit {
                character: 'z',
                position: 18
            })
        );
        for digits in [0, 1, 39, 41, 62, 63, 65, 128] {
            assert_eq!(
                "a".repeat(digits).parse::<Fingerprint>(),
                Err(FingerprintParseError::WrongLength { digits })
            );
        }
    }
}
