//! The hash of a Digest exchange and what it is applied to (RFC 7616, section 3.4).

use core::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::wire::hexadecimal::{decode, encode};

/// The hash function of a Digest exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    /// For clients that know RFC 2617 only. Offered by a server only when
    /// [`dangerous_md5`](super::DigestSettings::dangerous_md5) is on.
    Md5,
    /// What RFC 7616 wants.
    Sha256,
}

impl DigestAlgorithm {
    /// The name in headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Bytes of a hash.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 => 32,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Md5]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(name))
    }

    /// The hash of the parts with colons between them, in lower-case hexadecimal.
    pub(super) fn hash(self, parts: &[&str]) -> Zeroizing<String> {
        let text = Zeroizing::new(parts.join(":"));
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hexadecimal(&Sha256::digest(text.as_bytes())),
        }
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

pub(in super::super) fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(encode(bytes))
}

/// The 32 bytes of 64 hexadecimal digits.
pub(in super::super) fn bytes_of(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

/// `HA1`, the hash of name, realm and password: who has it can log in as the user to this realm.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestSecret {
    algorithm: DigestAlgorithm,
    hexadecimal: Zeroizing<String>,
}

impl DigestSecret {
    /// The secret of a user.
    #[must_use]
    pub fn new(algorithm: DigestAlgorithm, user: &str, realm: &str, password: &str) -> Self {
        Self {
            algorithm,
            hexadecimal: algorithm.hash(&[user, realm, password]),
        }
    }

    /// The secret as hexadecimal digits, whose number tells the algorithm; `None` for anything else.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(decode(text)?);
        let algorithm = [DigestAlgorithm::Md5, DigestAlgorithm::Sha256]
            .into_iter()
            .find(|algorithm| algorithm.length() == bytes.len())?;
        Some(Self {
            algorithm,
            hexadecimal: hexadecimal(&bytes),
        })
    }

    /// The hash it was made with.
    #[must_use]
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The secret in lower-case hexadecimal, for the file.
    #[must_use]
    pub fn to_hexadecimal(&self) -> &str {
        &self.hexadecimal
    }

    /// The `response` of a request. Without `quality` (nonce count and client nonce) it is that of RFC 2069.
    pub(super) fn response(
        &self,
        nonce: &str,
        quality: Option<(&str, &str)>,
        method: &str,
        uri: &str,
    ) -> Zeroizing<String> {
        let ha1 = self.hexadecimal.as_str();
        let ha2 = self.algorithm.hash(&[method, uri]);
        match quality {
            Some((count, cnonce)) => self.algorithm.hash(&[ha1, nonce, count, cnonce, "auth", &ha2]),
            None => self.algorithm.hash(&[ha1, nonce, &ha2]),
        }
    }
}

impl fmt::Debug for DigestSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestSecret")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_responses_of_rfc_7616_and_rfc_2617() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, expected) in [
            (DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                DigestAlgorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let secret = DigestSecret::new(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            let found = secret.response(nonce, Some(("00000001", cnonce)), "GET", "/dir/index.html");
            assert_eq!(found.as_str(), expected);
        }
        let secret = DigestSecret::new(
            DigestAlgorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
        );
        let found = secret.response(
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            Some(("00000001", "0a4f113b")),
            "GET",
            "/dir/index.html",
        );
        assert_eq!(found.as_str(), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_length_of_a_stored_secret_tells_its_algorithm() {
        let long = "AB".repeat(32);
        let found = DigestSecret::from_hexadecimal(&long).unwrap();
        assert_eq!(found.algorithm(), DigestAlgorithm::Sha256);
        assert_eq!(found.to_hexadecimal(), long.to_lowercase());
        for bad in ["", "ab", "zz", &"a".repeat(31), &"a".repeat(63), "+f"] {
            assert_eq!(DigestSecret::from_hexadecimal(bad), None, "{bad}");
        }
        assert!(!format!("{found:?}").contains("abab"));
    }
}
