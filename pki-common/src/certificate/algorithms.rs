//! Kinds of public keys and signatures.

use std::fmt;

use x509_parser::asn1_rs::{FromDer as _, Oid, oid};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::signature::bit_length;

const RSA_ENCRYPTION: Oid<'static> = oid!(1.2.840.113549.1.1.1);
const RSASSA_PSS: Oid<'static> = oid!(1.2.840.113549.1.1.10);
const EC_PUBLIC_KEY: Oid<'static> = oid!(1.2.840.10045.2.1);
const ED25519: Oid<'static> = oid!(1.3.101.112);

/// A named curve (RFC 5480 section 2.1.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EcCurve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
    /// Another curve.
    Other {
        /// Its object identifier, or what stands in its place.
        oid: String,
    },
}

impl fmt::Display for EcCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Other { oid } => f.write_str(oid),
        }
    }
}

/// Kind and size of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyType {
    /// RSA, also when restricted to RSASSA-PSS.
    Rsa {
        /// Bits of the modulus.
        bits: u32,
    },
    /// Elliptic curve.
    Ec {
        /// Which curve.
        curve: EcCurve,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Anything else, also an RSA or EC key that does not parse.
    Other {
        /// The algorithm's object identifier.
        oid: String,
    },
}

impl KeyType {
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &spki.algorithm.algorithm;
        let other = || Self::Other {
            oid: algorithm.to_id_string(),
        };
        if [RSA_ENCRYPTION, RSASSA_PSS].contains(algorithm) {
            return RSAPublicKey::from_der(&spki.subject_public_key.data).map_or_else(
                |_| other(),
                |(_, key)| Self::Rsa {
                    bits: bit_length(key.modulus),
                },
            );
        }
        if *algorithm == EC_PUBLIC_KEY {
            // RFC 5480 allows only a named curve.
            return spki
                .algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.as_oid().ok())
                .map_or_else(other, |curve| Self::Ec {
                    curve: curve_of(&curve),
                });
        }
        if *algorithm == ED25519 {
            Self::Ed25519
        } else {
            other()
        }
    }
}

fn curve_of(curve: &Oid<'_>) -> EcCurve {
    if *curve == oid!(1.2.840.10045.3.1.7) {
        EcCurve::P256
    } else if *curve == oid!(1.3.132.0.34) {
        EcCurve::P384
    } else if *curve == oid!(1.3.132.0.35) {
        EcCurve::P521
    } else {
        EcCurve::Other {
            oid: curve.to_id_string(),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::Ec { curve } => write!(f, "EC {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other { oid } => write!(f, "key algorithm {oid}"),
        }
    }
}

/// The digest inside a signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureDigest {
    /// MD5, broken; never verified here.
    Md5,
    /// SHA-1, weak; accepted only by a `dangerous_` policy.
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

impl fmt::Display for SignatureDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// The algorithm a certificate is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    RsaPkcs1(SignatureDigest),
    /// RSASSA-PSS (RFC 8017 section 8.1).
    RsaPss(SignatureDigest),
    /// ECDSA (RFC 5758 section 3.2).
    Ecdsa(SignatureDigest),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Anything else.
    Other {
        /// Its object identifier.
        oid: String,
    },
}

impl SignatureAlgorithm {
    const BY_OID: [(Oid<'static>, Self); 12] = [
        (oid!(1.2.840.113549.1.1.4), Self::RsaPkcs1(SignatureDigest::Md5)),
        (oid!(1.2.840.113549.1.1.5), Self::RsaPkcs1(SignatureDigest::Sha1)),
        (
            oid!(1.2.840.113549.1.1.14),
            Self::RsaPkcs1(SignatureDigest::Sha224),
        ),
        (
            oid!(1.2.840.113549.1.1.11),
            Self::RsaPkcs1(SignatureDigest::Sha256),
        ),
        (
            oid!(1.2.840.113549.1.1.12),
            Self::RsaPkcs1(SignatureDigest::Sha384),
        ),
        (
            oid!(1.2.840.113549.1.1.13),
            Self::RsaPkcs1(SignatureDigest::Sha512),
        ),
        (oid!(1.2.840.10045.4.1), Self::Ecdsa(SignatureDigest::Sha1)),
        (oid!(1.2.840.10045.4.3.1), Self::Ecdsa(SignatureDigest::Sha224)),
        (oid!(1.2.840.10045.4.3.2), Self::Ecdsa(SignatureDigest::Sha256)),
        (oid!(1.2.840.10045.4.3.3), Self::Ecdsa(SignatureDigest::Sha384)),
        (oid!(1.2.840.10045.4.3.4), Self::Ecdsa(SignatureDigest::Sha512)),
        (ED25519, Self::Ed25519),
    ];

    const PSS_DIGESTS: [(Oid<'static>, SignatureDigest); 5] = [
        (oid!(1.3.14.3.2.26), SignatureDigest::Sha1),
        (oid!(2.16.840.1.101.3.4.2.4), SignatureDigest::Sha224),
        (oid!(2.16.840.1.101.3.4.2.1), SignatureDigest::Sha256),
        (oid!(2.16.840.1.101.3.4.2.2), SignatureDigest::Sha384),
        (oid!(2.16.840.1.101.3.4.2.3), SignatureDigest::Sha512),
    ];

    pub(super) fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let known = Self::BY_OID
            .into_iter()
            .find(|(oid, _)| *oid == algorithm.algorithm);
        if let Some((_, known)) = known {
            return known;
        }
        let other = Self::Other {
            oid: algorithm.algorithm.to_id_string(),
        };
        if algorithm.algorithm != RSASSA_PSS {
            return other;
        }
        let parameters = algorithm
            .parameters
            .as_ref()
            .and_then(|any| RsaSsaPssParams::try_from(any).ok());
        parameters
            .and_then(|parameters| {
                Self::PSS_DIGESTS
                    .into_iter()
                    .find(|(oid, _)| oid == parameters.hash_algorithm_oid())
            })
            .map_or(other, |(_, digest)| Self::RsaPss(digest))
    }

    /// Whether the digest no longer resists forgery: MD5 and SHA-1.
    pub const fn is_weak(&self) -> bool {
        matches!(
            self,
            Self::RsaPkcs1(SignatureDigest::Md5 | SignatureDigest::Sha1)
                | Self::RsaPss(SignatureDigest::Md5 | SignatureDigest::Sha1)
                | Self::Ecdsa(SignatureDigest::Md5 | SignatureDigest::Sha1)
        )
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1(digest) => write!(f, "RSA PKCS#1 v1.5 with {digest}"),
            Self::RsaPss(digest) => write!(f, "RSASSA-PSS with {digest}"),
            Self::Ecdsa(digest) => write!(f, "ECDSA with {digest}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other { oid } => write!(f, "signature algorithm {oid}"),
        }
    }
}
