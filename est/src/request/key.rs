//! The private key of a request, ready to sign.

use core::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use der::asn1::Any;
use der::{Decode as _, Encode as _};
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::crypto_provider;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use spki::AlgorithmIdentifierOwned;

use super::RequestError;

/// The algorithms a request can be signed with, best first; the key has exactly one of them.
const SCHEMES: [(SignatureScheme, &str); 5] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, "1.2.840.10045.4.3.2"),
    (SignatureScheme::ECDSA_NISTP384_SHA384, "1.2.840.10045.4.3.3"),
    (SignatureScheme::ECDSA_NISTP521_SHA512, "1.2.840.10045.4.3.4"),
    (SignatureScheme::ED25519, "1.3.101.112"),
    (SignatureScheme::RSA_PKCS1_SHA256, "1.2.840.113549.1.1.11"),
];

/// A private key and its public half. `Debug` shows neither.
pub struct RequestKey {
    pkcs8: PrivatePkcs8KeyDer<'static>,
    signing: Arc<dyn SigningKey>,
    spki_der: Vec<u8>,
}

impl RequestKey {
    /// Makes a new key. An RSA key takes up to seconds to find.
    ///
    /// # Errors
    /// [`RequestError::Key`] when the crypto provider cannot make it.
    pub fn generate(kind: NewKey) -> Result<Self, RequestError> {
        let key = generate_key(kind).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })?;
        Self::from_pkcs8(key)
    }

    /// Takes an existing key in PKCS #8 form.
    ///
    /// # Errors
    /// [`RequestError::Key`] when the crypto provider cannot sign with it.
    pub fn from_pkcs8(pkcs8: PrivatePkcs8KeyDer<'static>) -> Result<Self, RequestError> {
        let wrong_key = |cause: String| RequestError::Key { cause };
        let provider = crypto_provider().map_err(|error| wrong_key(error.to_string()))?;
        let signing = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(pkcs8.clone_key()))
            .map_err(|error| wrong_key(error.to_string()))?;
        let spki_der = signing
            .public_key()
            .ok_or_else(|| wrong_key("the crypto provider does not tell the public key".into()))?
            .to_vec();
        Ok(Self {
            pkcs8,
            signing,
            spki_der,
        })
    }

    /// The key in PKCS #8 form.
    #[must_use]
    pub const fn pkcs8(&self) -> &PrivatePkcs8KeyDer<'static> {
        &self.pkcs8
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The AlgorithmIdentifier of the signature in DER, and the signature over `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
        let offered: Vec<_> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
        let unusable = || RequestError::Key {
            cause: format!(
                "keys of the kind {:?} are not supported",
                self.signing.algorithm()
            ),
        };
        let signer = self.signing.choose_scheme(&offered).ok_or_else(unusable)?;
        let (_, oid) = SCHEMES
            .iter()
            .find(|(scheme, _)| *scheme == signer.scheme())
            .ok_or_else(unusable)?;
        let null = Any::from_der(&[5, 0]).map_err(RequestError::encoding)?;
        // RFC 4055, section 5: RSA has an explicit NULL; the others have no parameters at all.
        let parameters = (signer.scheme() == SignatureScheme::RSA_PKCS1_SHA256).then_some(null);
        let algorithm = AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap(oid),
            parameters,
        };
        let signature = signer.sign(message).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })?;
        Ok((algorithm.to_der().map_err(RequestError::encoding)?, signature))
    }
}

impl Drop for RequestKey {
    fn drop(&mut self) {
        // The provider keeps its own copy for signing; this is the one that is kept for saving.
        zeroize::Zeroize::zeroize(&mut self.pkcs8);
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestKey").finish_non_exhaustive()
    }
}
