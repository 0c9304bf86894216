//! Decrypts enveloped data.

use core::fmt;

use pkcs8::DecodePrivateKey as _;
use pki_common::Certificate;
use rsa::RsaPrivateKey;
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use super::content::{self, supported};
use super::encrypt::random;
use super::key_agreement::EcPrivateKey;
use super::key_encryption_key::{KeyEncryptionKey, KeyWrap};
use super::{EnvelopedData, RecipientInfo, key_transport};
use crate::wire::cms::{CertificateIdentifier, CmsError};

/// What a recipient decrypts with. `Debug` shows the kind only.
pub struct DecryptionKey {
    key: Key,
    certificate: Option<Certificate>,
}

enum Key {
    Rsa(Box<RsaPrivateKey>),
    Ec(EcPrivateKey),
    Shared(KeyEncryptionKey),
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.key {
            Key::Rsa(_) => "RSA",
            Key::Ec(_) => "EC",
            Key::Shared(_) => "shared",
        };
        formatter
            .debug_struct("DecryptionKey")
            .field("kind", &kind)
            .finish_non_exhaustive()
    }
}

impl DecryptionKey {
    /// A private key in PKCS#8. With the certificate it belongs to, only what is encrypted for that certificate is
    /// decrypted; without, everything that is for a key of its kind is tried.
    ///
    /// # Errors
    /// [`CmsError::UnsupportedAlgorithm`] when the key is neither RSA nor EC on P-256, P-384 or P-521.
    pub fn private_key(
        key: &PrivatePkcs8KeyDer<'_>,
        certificate: Option<Certificate>,
    ) -> Result<Self, CmsError> {
        let der = key.secret_pkcs8_der();
        let key = RsaPrivateKey::from_pkcs8_der(der)
            .map(|key| Key::Rsa(Box::new(key)))
            .or_else(|_| p256::SecretKey::from_pkcs8_der(der).map(|key| Key::Ec(EcPrivateKey::P256(key))))
            .or_else(|_| p384::SecretKey::from_pkcs8_der(der).map(|key| Key::Ec(EcPrivateKey::P384(key))))
            .or_else(|_| p521::SecretKey::from_pkcs8_der(der).map(|key| Key::Ec(EcPrivateKey::P521(key))))
            .map_err(|_| CmsError::UnsupportedAlgorithm {
                what: "a private key other than",
                algorithm: "RSA, EC P-256, P-384 or P-521 in PKCS#8".to_owned(),
            })?;
        Ok(Self { key, certificate })
    }

    /// A shared symmetric key.
    #[must_use]
    pub const fn key_encryption_key(key: KeyEncryptionKey) -> Self {
        Self {
            key: Key::Shared(key),
            certificate: None,
        }
    }

    fn is_named_by(&self, identifier: &CertificateIdentifier) -> bool {
        self.certificate
            .as_ref()
            .is_none_or(|certificate| identifier.names(certificate))
    }
}

impl EnvelopedData {
    /// Decrypts the content.
    ///
    /// # Errors
    /// [`CmsError::NotARecipient`] when the message names other recipients only, [`CmsError::UnsupportedAlgorithm`],
    /// and [`CmsError::Decryption`] for everything that depends on a secret.
    pub fn decrypt(&self, key: &DecryptionKey) -> Result<Zeroizing<Vec<u8>>, CmsError> {
        let encryption = supported(&self.content_algorithm)?;
        let mut is_recipient = false;
        for info in &self.recipients {
            let candidates = self.content_keys(info, key)?;
            is_recipient |= candidates.is_some();
            for content_key in candidates.unwrap_or_default() {
                // A key that did not come out of its encryption is replaced by a random one, so that the outcome is
                // always that of decrypting the content (RFC 3218 section 2.3.2).
                let content_key = if content_key.len() == encryption.key_length() {
                    content_key
                } else {
                    random(encryption.key_length())?
                };
                let content = content::decrypt(
                    &self.content_algorithm,
                    &self.content_parameters,
                    &content_key,
                    &self.encrypted_content,
                );
                if !matches!(content, Err(CmsError::Decryption)) {
                    return content;
                }
            }
        }
        if is_recipient {
            Err(CmsError::Decryption)
        } else {
            Err(CmsError::NotARecipient {
                recipients: self.recipients_text(),
            })
        }
    }

    /// The content-encryption keys that this recipient info yields; `None` when it is not for us. An empty key is one
    /// that did not decrypt.
    fn content_keys(
        &self,
        info: &RecipientInfo,
        key: &DecryptionKey,
    ) -> Result<Option<Vec<Zeroizing<Vec<u8>>>>, CmsError> {
        let or_empty = |outcome: Result<Zeroizing<Vec<u8>>, CmsError>| match outcome {
            Err(CmsError::Decryption) => Ok(Some(vec![Zeroizing::default()])),
            other => other.map(|key| Some(vec![key])),
        };
        match (info, &key.key) {
            (
                RecipientInfo::KeyTransport {
                    identifier,
                    algorithm,
                    parameters,
                    encrypted_key,
                },
                Key::Rsa(private),
            ) if key.is_named_by(identifier) => or_empty(key_transport::decrypt(
                private,
                algorithm,
                parameters,
                encrypted_key,
            )),
            (RecipientInfo::KeyAgreement(info), Key::Ec(private)) => {
                if !info.is_for(|identifier| key.is_named_by(identifier)) {
                    return Ok(None);
                }
                match info.decrypt(private, |identifier| key.is_named_by(identifier)) {
                    Err(CmsError::Decryption) => Ok(Some(Vec::new())),
                    outcome => outcome.map(Some),
                }
            }
            (
                RecipientInfo::KeyEncryptionKey {
                    identifier,
                    algorithm,
                    encrypted_key,
                },
                Key::Shared(shared),
            ) if identifier == shared.identifier() => {
                or_empty(KeyWrap::from_oid(algorithm)?.unwrap(shared.key(), encrypted_key))
            }
            _ => Ok(None),
        }
    }
}
