//! First contact without a trust anchor: a person knows, or compares, the fingerprint of the certificate authority
//! (RFC 7030, section 4.1.1).

use core::fmt;
use core::str::FromStr;

use pki_common::{Certificate, Diagnose, Failure, Rung};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a certificate's DER, as `openssl x509 -noout -fingerprint -sha256` prints it.
///
/// Read with or without colons and blanks, in either case, and with OpenSSL's `sha256 Fingerprint=` in front.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        Self(Sha256::digest(certificate.der()).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.rsplit_once('=').map_or(text, |(_, value)| value);
        let mut bytes = Vec::with_capacity(32);
        let mut high = None;
        for (position, character) in text.char_indices() {
            if character == ':' || character.is_ascii_whitespace() {
                continue;
            }
            let digit = character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(FingerprintError::Character { position })?;
            high = match high {
                None => Some(digit),
                Some(high) => {
                    bytes.push(high << 4 | digit);
                    None
                }
            };
        }
        let digits = bytes.len() * 2 + usize::from(high.is_some());
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| FingerprintError::Length { digits })?;
        if high.is_some() {
            return Err(FingerprintError::Length { digits });
        }
        Ok(Self(bytes))
    }
}

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// Another character than a hexadecimal digit, a colon or white space.
    #[error("the fingerprint has a character at byte {position} that is no hexadecimal digit")]
    Character {
        /// Offset in the value.
        position: usize,
    },
    /// Not 64 digits.
    #[error("a SHA-256 fingerprint has 64 hexadecimal digits, this one {digits}")]
    Length {
        /// Digits found.
        digits: usize,
    },
}

impl Diagnose for FingerprintError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Length { digits: 40 | 32 } => {
                "This is a SHA-1 or MD5 fingerprint; ask for that of SHA-256."
            }
            _ => "Give what `openssl x509 -noout -fingerprint -sha256` prints for the CA certificate.",
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

/// A CA certificate that the server shows and its fingerprint, for a person to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaFingerprint {
    /// The certificate.
    pub certificate: Certificate,
    /// Its SHA-256 fingerprint.
    pub fingerprint: Fingerprint,
}

impl CaFingerprint {
    /// The certificates that a person may be asked about: all of the answer that may issue certificates, roots first.
    pub(super) fn of_answer(certificates: &[Certificate]) -> Vec<Self> {
        let mut shown: Vec<Self> = certificates
            .iter()
            .filter(|certificate| super::rollover::may_issue(certificate))
            .map(|certificate| Self {
                fingerprint: Fingerprint::of(certificate),
                certificate: certificate.clone(),
            })
            .collect();
        shown.sort_by_key(|ca| !ca.certificate.is_self_signed());
        shown
    }
}

/// How the first contact is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintCheck {
    /// A CA certificate of the answer must have this fingerprint.
    Expect(Fingerprint),
    /// A person is asked about the CA certificates of the answer.
    Ask,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &[u8] = include_bytes!("../../testdata/renewal/odd-names.pem");
    /// `openssl x509 -noout -fingerprint -sha256 -in odd-names.pem`
    const PRINTED: &str = "sha256 Fingerprint=17:A6:D9:44:12:87:6D:E1:60:DE:E3:5E:BD:B9:9B:A7:6B:CB:8C:1E:9B:F0:36:26:E6:A6:77:91:73:85:E9:46";

    #[test]
    fn reads_what_openssl_prints() {
        let certificate = Certificate::from_pem(PEM).unwrap();
        let fingerprint = Fingerprint::of(&certificate);
        assert_eq!(PRINTED.parse(), Ok(fingerprint));
        let digits = fingerprint.to_string();
        assert!(PRINTED.ends_with(&digits));
        assert_eq!(digits.to_lowercase().replace(':', "").parse(), Ok(fingerprint));
        assert_eq!(
            format!(" {} \n", digits.replace(':', " ")).parse(),
            Ok(fingerprint)
        );
    }

    #[test]
    fn says_what_is_wrong_with_a_fingerprint() {
        for (text, error) in [
            ("", FingerprintError::Length { digits: 0 }),
            ("AB:C", FingerprintError::Length { digits: 3 }),
            ("AB:XY", FingerprintError::Character { position: 3 }),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(error));
        }
        let sha1 = "00".repeat(20).parse::<Fingerprint>().unwrap_err();
        assert!(sha1.diagnose().remedy.contains("SHA-1"));
        assert!(("00".repeat(32) + "0").parse::<Fingerprint>().is_err());
    }
}
