//! Makes keys. How is a trait: an RSA key takes 100 ms and more, which must not block a runtime, and what runs it
//! elsewhere depends on the runtime.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::str::FromStr;

use pkcs8::EncodePrivateKey as _;
use pki_common::identity::{IdentityError, NewKey, generate_key};
use rand_core::{OsRng, RngCore as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::wire::asn1::{self, tag};
use crate::wire::csr::PublicKeyKind;

/// The kinds of keys that a server makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerKeyKind {
    /// EC on P-256.
    EcP256,
    /// EC on P-384.
    EcP384,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits. Takes a second or more of one core.
    Rsa4096,
}

impl ServerKeyKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::EcP256,
        Self::EcP384,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The kind of a request's own key, when keys of it are made at all.
    #[must_use]
    pub const fn like(key: &PublicKeyKind) -> Option<Self> {
        match key {
            PublicKeyKind::EcP256 => Some(Self::EcP256),
            PublicKeyKind::EcP384 => Some(Self::EcP384),
            PublicKeyKind::Ed25519 => Some(Self::Ed25519),
            PublicKeyKind::Rsa { bits: 2048 } => Some(Self::Rsa2048),
            PublicKeyKind::Rsa { bits: 3072 } => Some(Self::Rsa3072),
            PublicKeyKind::Rsa { bits: 4096 } => Some(Self::Rsa4096),
            _ => None,
        }
    }

    /// What its public keys are.
    #[must_use]
    pub const fn public_key_kind(self) -> PublicKeyKind {
        match self {
            Self::EcP256 => PublicKeyKind::EcP256,
            Self::EcP384 => PublicKeyKind::EcP384,
            Self::Ed25519 => PublicKeyKind::Ed25519,
            Self::Rsa2048 => PublicKeyKind::Rsa { bits: 2048 },
            Self::Rsa3072 => PublicKeyKind::Rsa { bits: 3072 },
            Self::Rsa4096 => PublicKeyKind::Rsa { bits: 4096 },
        }
    }

    /// Makes a key of this kind, on this thread.
    ///
    /// # Errors
    /// [`IdentityError::CannotGenerate`] when this build or the operating system cannot.
    pub fn generate(self) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        match self {
            Self::EcP256 => generate_key(NewKey::EcP256),
            Self::EcP384 => generate_key(NewKey::EcP384),
            Self::Rsa2048 => generate_key(NewKey::Rsa2048),
            Self::Rsa3072 => rsa_key(3072),
            Self::Rsa4096 => rsa_key(4096),
            Self::Ed25519 => ed25519_key(),
        }
    }
}

impl fmt::Display for ServerKeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EcP256 => "p256",
            Self::EcP384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        })
    }
}

impl FromStr for ServerKeyKind {
    type Err = IdentityError;

    /// The words of `Display`, in any case, with `-` or without: `RSA-2048`.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let word = text.replace('-', "").to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == word)
            .ok_or_else(|| IdentityError::BadParameters {
                reason: format!(
                    "{text:?} is no kind of key; use one of p256, p384, ed25519, rsa2048, rsa3072, rsa4096"
                ),
            })
    }
}

fn failed(error: impl fmt::Display) -> IdentityError {
    IdentityError::CannotGenerate {
        reason: error.to_string(),
    }
}

fn rsa_key(bits: usize) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
    let key = rsa::RsaPrivateKey::new(&mut OsRng, bits).map_err(failed)?;
    let document = key.to_pkcs8_der().map_err(failed)?;
    Ok(PrivatePkcs8KeyDer::from(document.as_bytes().to_vec()))
}

/// PKCS#8 of RFC 8410 section 7: the seed in an OCTET STRING in an OCTET STRING.
fn ed25519_key() -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
    const ALGORITHM: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
    let mut seed = Zeroizing::new([0_u8; 32]);
    OsRng.try_fill_bytes(&mut *seed).map_err(failed)?;
    let inner = Zeroizing::new(asn1::encode(tag::OCTET_STRING, &[&*seed]));
    let outer = Zeroizing::new(asn1::encode(tag::OCTET_STRING, &[&inner]));
    let version = [tag::INTEGER, 1, 0];
    Ok(PrivatePkcs8KeyDer::from(asn1::encode(
        tag::SEQUENCE,
        &[&version, ALGORITHM, &outer],
    )))
}

/// What [`KeyGenerator::generate`] returns: a future of the standard library, tied to no runtime.
pub type KeyFuture<'a> =
    Pin<Box<dyn Future<Output = Result<PrivatePkcs8KeyDer<'static>, IdentityError>> + Send + 'a>>;

/// Makes keys without holding up whoever polls.
pub trait KeyGenerator: fmt::Debug + Send + Sync {
    /// Makes a key.
    ///
    /// # Errors
    /// [`IdentityError`] when there is none to be had.
    fn generate(&self, kind: ServerKeyKind) -> KeyFuture<'_>;
}

/// Makes keys on the thread that polls. For programs without a runtime; a server uses its blocking generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectKeyGenerator;

impl KeyGenerator for DirectKeyGenerator {
    fn generate(&self, kind: ServerKeyKind) -> KeyFuture<'_> {
        Box::pin(async move { kind.generate() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_word_and_makes_keys_that_the_provider_loads() {
        let provider = pki_common::tls::crypto_provider().unwrap();
        for kind in ServerKeyKind::ALL {
            assert_eq!(kind.to_string().parse::<ServerKeyKind>().unwrap(), kind);
            if matches!(kind, ServerKeyKind::Rsa3072 | ServerKeyKind::Rsa4096) {
                continue; // They differ from Rsa2048 by a number, and take long.
            }
            let key = kind.generate().unwrap();
            let key = provider.key_provider.load_private_key(key.into()).unwrap();
            let public = crate::wire::csr::PublicKey::from_spki_der(&key.public_key().unwrap()).unwrap();
            assert_eq!(ServerKeyKind::like(public.kind()), Some(kind));
            assert_eq!(*public.kind(), kind.public_key_kind());
        }
        assert_eq!(
            "RSA-2048".parse::<ServerKeyKind>().unwrap(),
            ServerKeyKind::Rsa2048
        );
        assert!(
            "dsa"
                .parse::<ServerKeyKind>()
                .unwrap_err()
                .to_string()
                .contains("\"dsa\"")
        );
    }
}
