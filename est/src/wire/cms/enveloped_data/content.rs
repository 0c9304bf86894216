//! The content itself: AES in CBC mode (RFC 3565).

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecryptMut, BlockEncryptMut, KeyInit, KeyIvInit};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::encrypt::random;
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::CmsError;
use crate::wire::cms::algorithm::algorithm_identifier;
use crate::wire::csr::name_with_oid;

const AES128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

/// Length of an AES block and so of the initialisation vector, in bytes.
const BLOCK: usize = 16;

/// How the content is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentEncryption {
    /// AES with a key of 128 bits, CBC.
    Aes128Cbc,
    /// AES with a key of 192 bits, CBC.
    Aes192Cbc,
    /// AES with a key of 256 bits, CBC.
    #[default]
    Aes256Cbc,
}

impl ContentEncryption {
    /// The algorithm with this number, if it is one of these; SMIMECapabilities list them.
    #[must_use]
    pub fn from_oid(algorithm: &ObjectIdentifier) -> Option<Self> {
        match *algorithm {
            AES128_CBC => Some(Self::Aes128Cbc),
            AES192_CBC => Some(Self::Aes192Cbc),
            AES256_CBC => Some(Self::Aes256Cbc),
            _ => None,
        }
    }

    /// The algorithm's number.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Aes128Cbc => AES128_CBC,
            Self::Aes192Cbc => AES192_CBC,
            Self::Aes256Cbc => AES256_CBC,
        }
    }

    /// Length of the content-encryption key, in bytes.
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc => 24,
            Self::Aes256Cbc => 32,
        }
    }

    /// Encrypts under a random initialisation vector: the AlgorithmIdentifier and the encrypted octets.
    pub(super) fn encrypt(self, key: &[u8], content: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CmsError> {
        let vector = random(BLOCK)?;
        let encrypted = match self {
            Self::Aes128Cbc => cbc_encrypt::<Aes128>(key, &vector, content),
            Self::Aes192Cbc => cbc_encrypt::<Aes192>(key, &vector, content),
            Self::Aes256Cbc => cbc_encrypt::<Aes256>(key, &vector, content),
        };
        let encrypted =
            encrypted.ok_or_else(|| CmsError::CannotEncrypt("the content key has a wrong length".into()))?;
        let parameters = asn1::encode(tag::OCTET_STRING, &[&vector]);
        Ok((algorithm_identifier(self.oid(), &parameters), encrypted))
    }
}

/// Decrypts the content. A wrong key, a wrong length and wrong padding are one error.
pub(super) fn decrypt(
    algorithm: &ObjectIdentifier,
    parameters: &[u8],
    key: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let vector = Reader::new(parameters, Rules::Ber)
        .expect(tag::OCTET_STRING, "an OCTET STRING", "initialisation vector")?
        .content;
    let content = match supported(algorithm)? {
        ContentEncryption::Aes128Cbc => cbc_decrypt::<Aes128>(key, vector, encrypted),
        ContentEncryption::Aes192Cbc => cbc_decrypt::<Aes192>(key, vector, encrypted),
        ContentEncryption::Aes256Cbc => cbc_decrypt::<Aes256>(key, vector, encrypted),
    };
    content.map(Zeroizing::new).ok_or(CmsError::Decryption)
}

/// The algorithm, or an error that names it.
pub(super) fn supported(algorithm: &ObjectIdentifier) -> Result<ContentEncryption, CmsError> {
    ContentEncryption::from_oid(algorithm).ok_or_else(|| CmsError::UnsupportedAlgorithm {
        what: "the content encryption",
        algorithm: name_with_oid(algorithm),
    })
}

fn cbc_encrypt<C>(key: &[u8], vector: &[u8], content: &[u8]) -> Option<Vec<u8>>
where
    C: BlockEncryptMut + BlockCipher + KeyInit,
    cbc::Encryptor<C>: KeyIvInit + BlockEncryptMut,
{
    let cipher = cbc::Encryptor::<C>::new_from_slices(key, vector).ok()?;
    Some(cipher.encrypt_padded_vec_mut::<Pkcs7>(content))
}

fn cbc_decrypt<C>(key: &[u8], vector: &[u8], encrypted: &[u8]) -> Option<Vec<u8>>
where
    C: BlockDecryptMut + BlockCipher + KeyInit,
    cbc::Decryptor<C>: KeyIvInit + BlockDecryptMut,
{
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, vector).ok()?;
    cipher.decrypt_padded_vec_mut::<Pkcs7>(encrypted).ok()
}
