//! AES key wrap (RFC 3394), and recipients who share a symmetric key with the sender (RFC 5652 section 6.2.3).

use core::fmt;

use aes_kw::{KekAes128, KekAes192, KekAes256};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::CONTEXT_2;
use crate::wire::asn1::{self, tag};
use crate::wire::cms::CmsError;
use crate::wire::cms::algorithm::algorithm_identifier;
use crate::wire::csr::name_with_oid;
use crate::wire::hexadecimal;

const AES128_WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.5");
const AES192_WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.25");
const AES256_WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.45");

/// What RFC 5652 section 6.2.3 has as version of a KEKRecipientInfo.
const VERSION: u8 = 4;

/// A symmetric key that sender and recipient share, and the identifier both know it by. `Debug` hides the key.
#[derive(Clone)]
pub struct KeyEncryptionKey {
    identifier: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyEncryptionKey")
            .field("identifier", &hexadecimal::encode(&self.identifier))
            .finish_non_exhaustive()
    }
}

impl KeyEncryptionKey {
    /// An AES key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`CmsError::CannotEncrypt`] for another length.
    pub fn new(identifier: Vec<u8>, key: Zeroizing<Vec<u8>>) -> Result<Self, CmsError> {
        if KeyWrap::for_key_length(key.len()).is_none() {
            return Err(CmsError::CannotEncrypt(format!(
                "the shared key {} has {} bytes; an AES key has 16, 24 or 32",
                hexadecimal::encode(&identifier),
                key.len()
            )));
        }
        Ok(Self { identifier, key })
    }

    /// The identifier, as a DecryptKeyIdentifier attribute names it.
    #[must_use]
    pub fn identifier(&self) -> &[u8] {
        &self.identifier
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The KEKRecipientInfo.
    pub(super) fn recipient_info(&self, content_key: &[u8]) -> Result<Vec<u8>, CmsError> {
        let wrap = KeyWrap::for_key_length(self.key.len())
            .ok_or_else(|| CmsError::CannotEncrypt("the shared key is no AES key".to_owned()))?;
        let wrapped = wrap.wrap(&self.key, content_key)?;
        let identifier = asn1::encode(tag::OCTET_STRING, &[&self.identifier]);
        Ok(asn1::encode(
            CONTEXT_2,
            &[
                &[tag::INTEGER, 1, VERSION],
                &asn1::encode(tag::SEQUENCE, &[&identifier]),
                &wrap.identifier_der(),
                &asn1::encode(tag::OCTET_STRING, &[&wrapped]),
            ],
        ))
    }
}

/// AES key wrap by the length of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyWrap {
    Aes128,
    Aes192,
    Aes256,
}

impl KeyWrap {
    pub(super) fn from_oid(algorithm: &ObjectIdentifier) -> Result<Self, CmsError> {
        Ok(match *algorithm {
            AES128_WRAP => Self::Aes128,
            AES192_WRAP => Self::Aes192,
            AES256_WRAP => Self::Aes256,
            _ => {
                return Err(CmsError::UnsupportedAlgorithm {
                    what: "the key wrap",
                    algorithm: name_with_oid(algorithm),
                });
            }
        })
    }

    pub(super) const fn for_key_length(bytes: usize) -> Option<Self> {
        match bytes {
            16 => Some(Self::Aes128),
            24 => Some(Self::Aes192),
            32 => Some(Self::Aes256),
            _ => None,
        }
    }

    pub(super) const fn key_length(self) -> u8 {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// The AlgorithmIdentifier; AES key wrap has no parameters (RFC 3565 section 2.3.2).
    pub(super) fn identifier_der(self) -> Vec<u8> {
        let oid = match self {
            Self::Aes128 => AES128_WRAP,
            Self::Aes192 => AES192_WRAP,
            Self::Aes256 => AES256_WRAP,
        };
        algorithm_identifier(oid, &[])
    }

    pub(super) fn wrap(self, key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, CmsError> {
        let wrapped = match self {
            Self::Aes128 => KekAes128::try_from(key).and_then(|kek| kek.wrap_vec(content_key)),
            Self::Aes192 => KekAes192::try_from(key).and_then(|kek| kek.wrap_vec(content_key)),
            Self::Aes256 => KekAes256::try_from(key).and_then(|kek| kek.wrap_vec(content_key)),
        };
        wrapped.map_err(|error| CmsError::CannotEncrypt(format!("AES key wrap: {error}")))
    }

    pub(super) fn unwrap(self, key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, CmsError> {
        let content_key = match self {
            Self::Aes128 => KekAes128::try_from(key).and_then(|kek| kek.unwrap_vec(wrapped)),
            Self::Aes192 => KekAes192::try_from(key).and_then(|kek| kek.unwrap_vec(wrapped)),
            Self::Aes256 => KekAes256::try_from(key).and_then(|kek| kek.unwrap_vec(wrapped)),
        };
        content_key.map(Zeroizing::new).map_err(|_| CmsError::Decryption)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// RFC 3394 sections 4.1 and 4.6.
    #[test]
    fn wraps_as_the_examples_of_rfc_3394() {
        let table = [
            (
                "000102030405060708090A0B0C0D0E0F",
                "00112233445566778899AABBCCDDEEFF",
                "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
            ),
            (
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
                "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
            ),
        ];
        for (key, content_key, wrapped) in table {
            let (key, content_key, wrapped) = (bytes(key), bytes(content_key), bytes(wrapped));
            let wrap = KeyWrap::for_key_length(key.len()).unwrap();
            assert_eq!(wrap.wrap(&key, &content_key).unwrap(), wrapped);
            assert_eq!(*wrap.unwrap(&key, &wrapped).unwrap(), content_key);
            assert_eq!(wrap.unwrap(&key, &wrapped[8..]), Err(CmsError::Decryption));
        }
    }

    #[test]
    fn a_shared_key_of_another_length_is_refused_and_debug_hides_it() {
        let error = KeyEncryptionKey::new(vec![1], Zeroizing::new(vec![7; 15])).unwrap_err();
        assert!(error.to_string().contains("15 bytes"), "{error}");
        let key = KeyEncryptionKey::new(vec![1], Zeroizing::new(vec![7; 16])).unwrap();
        assert_eq!(format!("{key:?}"), "KeyEncryptionKey { identifier: \"01\", .. }");
    }
}
