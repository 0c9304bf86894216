//! Digest and signature algorithms by their numbers.

use core::fmt;

use const_oid::ObjectIdentifier;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use super::{CmsError, oid};
use crate::wire::asn1::{self, tag};
use crate::wire::csr::name_with_oid;

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const NULL: &[u8] = &[tag::NULL, 0];

/// A digest algorithm of a signer (RFC 5754 section 2, RFC 3370 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-1, which signatures may use by an explicit policy only.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

impl DigestAlgorithm {
    pub(super) fn from_oid(identifier: &ObjectIdentifier) -> Result<Self, CmsError> {
        Ok(match *identifier {
            SHA1 => Self::Sha1,
            SHA224 => Self::Sha224,
            SHA256 => Self::Sha256,
            SHA384 => Self::Sha384,
            SHA512 => Self::Sha512,
            _ => {
                return Err(CmsError::UnsupportedAlgorithm {
                    what: "the digest algorithm",
                    algorithm: name_with_oid(identifier),
                });
            }
        })
    }

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => SHA1,
            Self::Sha224 => SHA224,
            Self::Sha256 => SHA256,
            Self::Sha384 => SHA384,
            Self::Sha512 => SHA512,
        }
    }

    /// The AlgorithmIdentifier, without parameters (RFC 5754 section 2).
    pub(super) fn identifier_der(self) -> Vec<u8> {
        algorithm_identifier(self.oid(), &[])
    }

    /// The digest of `data`.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha224 => Sha224::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    /// `shaNWithRSAEncryption` (RFC 4055 section 5).
    const fn with_rsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha1 => "1.2.840.113549.1.1.5",
            Self::Sha224 => "1.2.840.113549.1.1.14",
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Sha384 => "1.2.840.113549.1.1.12",
            Self::Sha512 => "1.2.840.113549.1.1.13",
        })
    }

    /// `ecdsa-with-SHAn` (RFC 5758 section 3.2).
    const fn with_ecdsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha1 => "1.2.840.10045.4.1",
            Self::Sha224 => "1.2.840.10045.4.3.1",
            Self::Sha256 => "1.2.840.10045.4.3.2",
            Self::Sha384 => "1.2.840.10045.4.3.3",
            Self::Sha512 => "1.2.840.10045.4.3.4",
        })
    }
}

/// An AlgorithmIdentifier with parameters that are already encoded.
pub(super) fn algorithm_identifier(identifier: ObjectIdentifier, parameters: &[u8]) -> Vec<u8> {
    asn1::encode(tag::SEQUENCE, &[&oid(identifier), parameters])
}

/// What we sign with, best first; a key has exactly one of them.
pub(super) const SIGNATURE_SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// The digest that goes with a scheme, and the signature's AlgorithmIdentifier. RSA is named by `rsaEncryption`, the
/// only name that every implementation knows (RFC 3370 section 3.2); Ed25519 goes with SHA-512 (RFC 8419 section 3).
pub(super) fn algorithms_of(scheme: SignatureScheme) -> Result<(DigestAlgorithm, Vec<u8>), CmsError> {
    Ok(match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => (
            DigestAlgorithm::Sha256,
            algorithm_identifier(ECDSA_WITH_SHA256, &[]),
        ),
        SignatureScheme::ECDSA_NISTP384_SHA384 => (
            DigestAlgorithm::Sha384,
            algorithm_identifier(ECDSA_WITH_SHA384, &[]),
        ),
        SignatureScheme::ECDSA_NISTP521_SHA512 => (
            DigestAlgorithm::Sha512,
            algorithm_identifier(ECDSA_WITH_SHA512, &[]),
        ),
        SignatureScheme::ED25519 => (DigestAlgorithm::Sha512, algorithm_identifier(ED25519, &[])),
        SignatureScheme::RSA_PKCS1_SHA256 => (
            DigestAlgorithm::Sha256,
            algorithm_identifier(RSA_ENCRYPTION, NULL),
        ),
        other => return Err(CmsError::CannotSign(format!("the key signs with {other:?} only"))),
    })
}

/// Signs `message` with the AlgorithmIdentifier that certificates and requests have: the identifier and the signature.
pub(crate) fn sign_as_in_certificates(
    key: &dyn SigningKey,
    message: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), CmsError> {
    let signer = key.choose_scheme(&SIGNATURE_SCHEMES).ok_or_else(|| {
        CmsError::CannotSign("there is no signature algorithm for this kind of key".to_owned())
    })?;
    let (digest, identifier) = algorithms_of(signer.scheme())?;
    let identifier = if signer.scheme() == SignatureScheme::RSA_PKCS1_SHA256 {
        algorithm_identifier(digest.with_rsa(), NULL)
    } else {
        identifier
    };
    let signature = signer
        .sign(message)
        .map_err(|error| CmsError::CannotSign(error.to_string()))?;
    Ok((identifier, signature))
}

/// The AlgorithmIdentifier of a signature in the form that certificates have it. CMS lets a signer name only the kind
/// of key and leave the digest to its own field (RFC 3370 section 3).
pub(super) fn complete_signature_algorithm(
    identifier: &ObjectIdentifier,
    as_sent: &[u8],
    digest: DigestAlgorithm,
) -> Vec<u8> {
    if *identifier == RSA_ENCRYPTION {
        algorithm_identifier(digest.with_rsa(), NULL)
    } else if *identifier == EC_PUBLIC_KEY {
        algorithm_identifier(digest.with_ecdsa(), &[])
    } else {
        as_sent.to_vec()
    }
}
